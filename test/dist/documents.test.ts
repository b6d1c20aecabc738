/** Documents: their links lead somewhere, and the states they name are the code's. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { files } from "./tree.ts";

test("documents: every relative link leads to a file or folder", async () => {
  const dead: string[] = [];
  let links = 0;
  for (const path of await files(".", /\.md$/)) {
    const text = await readFile(path, "utf8");
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
      links += 1;
      if (!existsSync(join(dirname(path), target))) dead.push(`${path}: ${target}`);
    }
  }
  assert.ok(links > 20);
  assert.deepEqual(dead, []);
});

test("documents: docs/pod-lifecycle.md has every state that src/pod/state.ts computes, and no other", async () => {
  const code = await readFile("src/pod/state.ts", "utf8");
  const union = /export type PodState =([^;]*);/.exec(code)?.[1] ?? "";
  const states = [...union.matchAll(/"(\w+)"/g)].map((match) => match[1]);
  const table = await readFile("docs/pod-lifecycle.md", "utf8");
  const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]);
  assert.ok(states.length > 5);
  assert.deepEqual([...new Set(rows)].sort(), [...states].sort());
});
