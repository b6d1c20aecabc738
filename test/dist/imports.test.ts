/** What the bundles could not load: their code is compiled by hand (src/cli/loader.ts), and has no import() of its own. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { files } from "./tree.ts";

const DYNAMIC = /\bimport\(\s*"node:/;

test("imports: nothing of Node's is imported while a program runs", async () => {
  const all = await files("src", /\.ts$/);
  assert.ok(all.length > 100);
  const found: string[] = [];
  for (const file of all) {
    const lines = (await readFile(file, "utf8")).split("\n");
    // A type's import() is none.
    if (lines.some((line) => DYNAMIC.test(line) && /await|then/.test(line))) found.push(file);
  }
  assert.deepEqual(found, []);
});
