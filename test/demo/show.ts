/** Prints a command and its real output, and fails when it is not what was promised. */
import type { Place } from "./place.ts";

export type Expectation = {
  /** Exit status; 0 unless told. */
  readonly status?: number;
  /** What standard output must hold. */
  readonly matches?: readonly RegExp[];
};

/** Says what comes next. */
export function title(text: string): void {
  console.log(`\n\x1b[1m# ${text}\x1b[0m`);
}

/** Runs one command line of words without blanks, or of quoted words, and shows it. Resolves to its output. */
export async function show(place: Place, command: string, expected: Expectation = {}): Promise<string> {
  console.log(`\x1b[36m$ ${command}\x1b[0m`);
  const { status, stdout, stderr } = await place.exec(["sh", "-c", command]);
  process.stdout.write(stdout);
  process.stdout.write(stderr);
  if (status !== (expected.status ?? 0)) {
    throw new Error(`"${command}" ended with ${status} instead of ${expected.status ?? 0}`);
  }
  for (const pattern of expected.matches ?? []) {
    if (!pattern.test(stdout)) throw new Error(`"${command}" did not say ${String(pattern)}`);
  }
  return stdout.trim();
}

/** States a fact that was checked; fails when it is not one. */
export function check(fact: string, holds: boolean): void {
  if (!holds) throw new Error(`not so: ${fact}`);
  console.log(`\x1b[32m✓ ${fact}\x1b[0m`);
}
