/** Runs files of node:test in child processes and counts their results from a TAP file. */
import { mkdir, readFile } from "node:fs/promises";
import { runCommand } from "./command.ts";
import type { Counts } from "./counts.ts";
import { NOTHING } from "./counts.ts";

const LOGS = "build/test-logs";

export type NodeTestOptions = {
  /** Names the log, build/test-logs/<phase>.tap. */
  readonly phase: string;
  /** Files at a time. */
  readonly concurrency: number;
  /** Milliseconds that one test may take. */
  readonly timeout: number;
};

/** Runs the files; a file that crashes, or a run that writes no result, counts as a failure. */
export async function runNodeTests(files: readonly string[], options: NodeTestOptions): Promise<Counts> {
  if (files.length === 0) return NOTHING;
  await mkdir(LOGS, { recursive: true });
  const log = `${LOGS}/${options.phase}.tap`;
  const status = await runCommand([
    process.execPath,
    "--import",
    "tsx",
    "--test",
    `--test-concurrency=${options.concurrency}`,
    `--test-timeout=${options.timeout}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=tap",
    `--test-reporter-destination=${log}`,
    ...files,
  ]);
  return countTap(await readFile(log, "utf8"), options.phase, status);
}

/** Counts the leaves of a TAP document; `status` is the exit status of the run that wrote it. */
export function countTap(tap: string, phase: string, status: number): Counts {
  const total = (name: string): number => Number(new RegExp(`^# ${name} (\\d+)$`, "m").exec(tap)?.[1] ?? 0);
  // A test to be done is a test that cannot fail: it counts as one that did.
  const failed = total("fail") + total("cancelled") + total("todo");
  const silent = failed === 0 && status !== 0;
  return {
    passed: total("pass"),
    failed: silent ? 1 : failed,
    skipped: [...tap.matchAll(/^ *ok \d+ - (.*) # SKIP(.*)$/gm)].map((m) => `${m[1]}:${m[2]}`),
    failures: silent ? [`${phase}: the run ended with status ${status}`] : failuresOf(tap),
  };
}

/** Names of failed tests that are not merely the parent of one. */
function failuresOf(tap: string): string[] {
  const blocks = tap.split(/^(?= *(?:not )?ok \d+ - )/m);
  return blocks
    .filter((block) => /^ *(not ok|ok .*# TODO)/.test(block) && !/failureType: 'subtestsFailed'/.test(block))
    .map((block) => /- (.*)/.exec(block)?.[1] ?? block);
}
