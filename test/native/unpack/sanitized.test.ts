/** The same tests once more, against the build that watches every memory access. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const BUILD = join(import.meta.dirname, "../../../build/native-sanitize");
// kill.test.ts and oracle.test.ts are about timing and bulk, which a sanitizer only makes slow.
const OMITTED = ["sanitized.test.ts", "kill.test.ts", "oracle.test.ts"];

test("gantry-unpack under AddressSanitizer and UndefinedBehaviorSanitizer", { timeout: 600_000 }, (t) => {
  if (!existsSync(join(BUILD, "unpack/gantry-unpack"))) {
    t.skip("build/native-sanitize is not built");
    return;
  }
  const names = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"));
  const files = names
    .filter((name) => !OMITTED.includes(name))
    .map((name) => join(import.meta.dirname, name));
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
