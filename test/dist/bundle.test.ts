/** What is built of the TypeScript half: the code caches are ones that V8 takes, with the flags the programs start with. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

/** V8 compiles as ever when it refuses a cache, so that nobody would notice. */
const CHECK = `
const { readFileSync } = require("node:fs");
const { Script } = require("node:vm");
const filename = process.argv[1];
const cachedData = readFileSync(filename.replace(/cjs$/, "cache"));
const script = new Script(readFileSync(filename, "latin1"), { filename, cachedData });
console.log(script.cachedDataRejected);`;

for (const [name, begin] of [
  ["agent", "int node_execute_agent("],
  ["cli", "int node_execute("],
  ["fetcher", '{ "gantry-fetcher"'],
] as const) {
  test(`bundle: the code cache of ${name}.cjs is taken`, () => {
    const source = readFileSync("native/gantry/node.c", "utf8");
    const start = source.indexOf(begin);
    assert.ok(start >= 0, begin);
    const head = source.slice(start, source.indexOf(".cjs", start));
    const flags = [...head.matchAll(/"(--[^"]*)"/g)].map(([, flag = ""]) => flag);
    assert.ok(flags.length > 0);
    const words = [...flags, "-e", CHECK, `build/bundle/${name}-code.cjs`];
    const rejected = execFileSync(process.execPath, words, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    assert.equal(rejected.trim(), "false");
  });
}
