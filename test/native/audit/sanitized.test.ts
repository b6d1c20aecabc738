/** The same tests once more, against the build that watches every memory access. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const BUILD = join(import.meta.dirname, "../../../build/native-sanitize");

test("gantry-audit under AddressSanitizer and UndefinedBehaviorSanitizer", { timeout: 600_000 }, (t) => {
  if (!existsSync(join(BUILD, "audit/gantry-audit"))) {
    t.skip("build/native-sanitize is not built");
    return;
  }
  const files = [join(import.meta.dirname, "audit.test.ts")];
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const { status, stdout } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--test", "--test-reporter=spec", ...files],
    {
      env: { ...environment, GANTRY_NATIVE: BUILD, UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1" },
      encoding: "utf8",
    },
  );
  assert.equal(status, 0, stdout);
});
