/** The test run's own counting: what it overlooks, nobody sees. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { countTap } from "../runner/node-tests.ts";

const totals = (pass: number, fail: number, skipped: number, todo: number): string =>
  `# tests 9\n# suites 1\n# pass ${pass}\n# fail ${fail}\n# cancelled 0\n# skipped ${skipped}\n# todo ${todo}\n`;

test("runner: counts leaves, names skips with their reasons and failures without their parents", () => {
  const tap = [
    "TAP version 13",
    "    not ok 1 - inner",
    "      ---\n      failureType: 'testCodeFailure'\n      ...",
    "not ok 1 - suite",
    "  ---\n  failureType: 'subtestsFailed'\n  ...",
    "ok 2 - left out # SKIP no package",
    "ok 3 - good",
    totals(1, 1, 1, 0),
  ].join("\n");
  assert.deepEqual(countTap(tap, "unit", 1), {
    passed: 1,
    failed: 1,
    skipped: ["left out: no package"],
    failures: ["inner"],
  });
});

test("runner: a test to be done has failed, and so has a run that died silently", () => {
  const todo = countTap(`ok 1 - later # TODO\n${totals(0, 0, 0, 1)}`, "unit", 0);
  assert.deepEqual([todo.passed, todo.failed, todo.failures], [0, 1, ["later # TODO"]]);
  const dead = countTap("TAP version 13\n", "unit", 139);
  assert.deepEqual([dead.failed, dead.failures], [1, ["unit: the run ended with status 139"]]);
});
