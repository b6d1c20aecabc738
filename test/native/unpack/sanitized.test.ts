/** The tests of gantry-unpack once more, under the sanitizers. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { testSanitized } from "../../fixtures/sanitized.ts";

// kill.test.ts and oracle.test.ts are about timing and bulk, which a sanitizer only makes slow.
const OMITTED = ["sanitized.test.ts", "kill.test.ts", "oracle.test.ts"];

const names = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"));
testSanitized(
  "unpack/gantry-unpack",
  names.filter((name) => !OMITTED.includes(name)).map((name) => join(import.meta.dirname, name)),
);
