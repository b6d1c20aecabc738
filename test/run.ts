/**
 * Runs every test of the tree: `npm test`. The last line is `N passed, N failed, N skipped`.
 *
 *   test/run.ts [--only=PHASE[,PHASE]] [FILE…]
 *
 * With files, only those run. CONTRIBUTING.md says what each phase is for.
 */
import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { parseArgs } from "node:util";
import { compare, snapshot, type Traces } from "./host/leaks.ts";
import { runCommand } from "./runner/command.ts";
import { type Counts, NOTHING, single, sum } from "./runner/counts.ts";
import { NATIVE_BUILDS, runNativeTests } from "./runner/native-tests.ts";
import { runNodeTests } from "./runner/node-tests.ts";

/** Limits hold for a whole file, too, and only end what would never end: a busy machine takes its time. */
const MINUTE = 60_000;

/** In the order in which they run: what is quick and explains most comes first. */
const PHASES: Readonly<Record<string, () => Promise<Counts>>> = {
  check: runChecks,
  dist: async () =>
    runNodeTests(await filesBelow("test/dist"), { phase: "dist", concurrency: 2, timeout: 5 * MINUTE }),
  unit: async () =>
    runNodeTests(await filesBelow("test/src"), { phase: "unit", concurrency: 2, timeout: 5 * MINUTE }),
  native: runNative,
  integration: async () =>
    runNodeTests([...(await filesBelow("test/native")), ...(await filesBelow("test/integration"))], {
      phase: "integration",
      concurrency: 2,
      timeout: 15 * MINUTE,
    }),
};

async function runChecks(): Promise<Counts> {
  const check = async (name: string, command: readonly string[]): Promise<Counts> =>
    single(name, (await runCommand(command)) === 0);
  return sum([
    await check("tsc", ["node_modules/.bin/tsc", "--noEmit"]),
    await check("biome", ["node_modules/.bin/biome", "check", "--error-on-warnings", "."]),
  ]);
}

async function runNative(): Promise<Counts> {
  const results: Counts[] = [];
  for (const build of NATIVE_BUILDS) results.push(await runNativeTests(build));
  return sum(results);
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  return entries
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `${folder}/${name}`)
    .sort();
}

async function runPhase(name: string, run: () => Promise<Counts>): Promise<Counts> {
  console.log(`\n==== ${name}`);
  const begin = Date.now();
  const counts = await run();
  const seconds = ((Date.now() - begin) / 1000).toFixed(1);
  console.log(`==== ${name}: ${totals(counts)} in ${seconds} s`);
  return counts;
}

function totals(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped.length} skipped`;
}

/** Where every package of the list is installed, as in CI, no test may be left out for the lack of one. */
function refuseSkips(counts: Counts): Counts {
  const refused = process.env["CI"] === "true" ? counts.skipped.filter((line) => /package/i.test(line)) : [];
  return sum([counts, ...refused.map((line) => single(`skipped under CI: ${line}`, false))]);
}

/** Nothing may be left on the machine: each trace that is, is a failure of its own. */
function compareTraces(before: Traces): Counts {
  const left = compare(before, snapshot());
  return left.length === 0
    ? single("the machine is as it was", true)
    : sum(left.map((trace) => single(`the machine is not as it was: ${trace}`, false)));
}

function becomeRoot(): never {
  const self = [...process.execArgv, ...process.argv.slice(1)];
  const child = spawnSync("sudo", ["--preserve-env=CI", process.execPath, ...self], { stdio: "inherit" });
  process.exit(child.status ?? 1);
}

function chosenPhases(only: string | undefined): [string, () => Promise<Counts>][] {
  const names = only?.split(",") ?? Object.keys(PHASES);
  return names.map((name) => {
    const run = PHASES[name];
    if (run === undefined) throw new Error(`no phase ${name}: there are ${Object.keys(PHASES).join(", ")}`);
    return [name, run];
  });
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { only: { type: "string" } },
    allowPositionals: true,
  });
  if (process.getuid?.() !== 0) becomeRoot();
  const phases: [string, () => Promise<Counts>][] =
    positionals.length === 0
      ? chosenPhases(values.only)
      : [
          [
            "files",
            () => runNodeTests(positionals, { phase: "files", concurrency: 1, timeout: 15 * MINUTE }),
          ],
        ];
  const before = snapshot();
  let counts = NOTHING;
  for (const [name, run] of phases) counts = sum([counts, await runPhase(name, run)]);
  counts = refuseSkips(sum([counts, compareTraces(before)]));
  for (const line of counts.skipped) console.log(`skipped: ${line}`);
  for (const line of counts.failures) console.log(`FAILED: ${line}`);
  console.log(totals(counts));
  return counts.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
