/** Shell scripts parse, and nothing in the tree names the machine it was made on. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { test } from "node:test";
import { promisify } from "node:util";
import { files } from "./tree.ts";

const run = promisify(execFile);

test("scripts: every shell script parses", async () => {
  let parsed = 0;
  for (const path of await files(".")) {
    const shell = /^#!\/bin\/(sh|bash)\b/.exec(await readFile(path, "latin1"))?.[1];
    if (shell === undefined) continue;
    await run(shell, ["-n", path]);
    parsed += 1;
  }
  assert.ok(parsed >= 4, `only ${parsed} shell scripts were found`);
});

test("tree: no file names the checkout's place or its owner's home", async () => {
  const places = [process.cwd(), homedir()].filter((place) => place.length > "/root".length);
  const naming: string[] = [];
  for (const path of await files(".")) {
    const text = await readFile(path, "latin1");
    for (const place of places) if (text.includes(`${place}/`)) naming.push(`${path}: ${place}`);
  }
  assert.deepEqual(naming, []);
});

test("package-lock: packages come from whichever registry npm is set to", async () => {
  const lock: unknown = JSON.parse(await readFile("package-lock.json", "utf8"));
  const resolved = [...JSON.stringify(lock).matchAll(/"resolved":"([^"]*)"/g)].map((match) => match[1]);
  assert.deepEqual(resolved, ["packaging/usocket"]);
});

test("set-up: the list of Debian packages is sorted in its parts and names nothing twice", async () => {
  const text = await readFile("packaging/debian-packages.txt", "utf8");
  const parts = text.split(/^#.*$/m).map((part) => part.split("\n").filter((line) => line !== ""));
  for (const part of parts) assert.deepEqual(part, [...part].sort());
  const all = parts.flat();
  assert.ok(all.length > 20);
  assert.equal(new Set(all).size, all.length);
});
