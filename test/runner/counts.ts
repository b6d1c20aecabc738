/** What a phase of the test run found. */

export type Counts = {
  readonly passed: number;
  readonly failed: number;
  /** One line per skipped test: its name and its reason. */
  readonly skipped: readonly string[];
  /** One line per failure, for the summary at the end. */
  readonly failures: readonly string[];
};

export const NOTHING: Counts = { passed: 0, failed: 0, skipped: [], failures: [] };

/** The sum of several results, in order. */
export function sum(results: readonly Counts[]): Counts {
  return {
    passed: results.reduce((total, one) => total + one.passed, 0),
    failed: results.reduce((total, one) => total + one.failed, 0),
    skipped: results.flatMap((one) => one.skipped),
    failures: results.flatMap((one) => one.failures),
  };
}

/** A test that is not written in a test framework: a command or a check that did or did not succeed. */
export function single(name: string, ok: boolean): Counts {
  return ok ? { ...NOTHING, passed: 1 } : { ...NOTHING, failed: 1, failures: [name] };
}
