/** V8's code caches: what a program has compiled by the end of a rehearsal need not be compiled when it starts. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

/**
 * Run by a Node of its own: loads the code as src/cli/loader.ts does, runs it once per command line, and keeps what V8 has
 * compiled by then. A pod that the first one has prepared looks started to the others, which then ask for the bus.
 */
const MAKE_CACHE = `
const { readdirSync, readFileSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { Script } = require("node:vm");
const [directory, name, store, ...lines] = process.argv.slice(1);
const filename = directory + "/" + name + "-code.cjs";
const script = new Script(readFileSync(filename, "latin1"), { filename });
const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().replaceAll("-", "");
const exit = process.exit;
let failure = 0;
process.exit = (status) => {
  failure ||= status;
  if (lines.length === 0) {
    writeFileSync(directory + "/" + name + "-code.cache", script.createCachedData());
    exit(failure);
  }
  for (const pod of store === "" ? [] : readdirSync(store + "/pods"))
    writeFileSync(store + "/pods/" + pod + "/started", JSON.stringify({ version: 1, time: 1, boot }));
  setImmediate(run);
};
function run() {
  process.argv = ["node", directory + "/" + name + ".cjs", ...JSON.parse(lines.shift())];
  script.runInThisContext()(createRequire(filename), { exports: {} }, directory);
}
run();
`;

export type Rehearsal = {
  /** Of the code, `<name>-code.cjs`. */
  readonly name: string;
  /** V8 takes a cache only with the flags it was made with: those of native/gantry/node.c. */
  readonly flags: readonly string[];
  /** Where pods are prepared, or empty. */
  readonly store: string;
  readonly runs: readonly (readonly string[])[];
  /** Standard input of its run. */
  readonly input?: string;
};

/**
 * Writes `<name>-code.cache` beside the code, and resolves to what the program printed. What compiles runs without a bus, so that a
 * build changes nothing and asks nobody; its errors are expected.
 */
export async function makeCodeCache(directory: string, rehearsal: Rehearsal): Promise<string> {
  const { name, flags, store, runs, input = "" } = rehearsal;
  const lines = runs.map((words) => JSON.stringify(words));
  const env = { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/nonexistent" };
  const cache = join(directory, `${name}-code.cache`);
  rmSync(cache, { force: true });
  const child = spawn(
    process.execPath,
    ["--disable-proto=delete", ...flags, "-e", MAKE_CACHE, "--", directory, name, store, ...lines],
    { env },
  );
  child.stdin.end(input);
  const [printed, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (!existsSync(cache)) throw new Error(`the code cache of ${name}: ${errors}`);
  return printed;
}
