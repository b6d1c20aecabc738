/** The tests of gantry-pack once more, under the sanitizers. */
import { join } from "node:path";
import { testSanitized } from "../../fixtures/sanitized.ts";

testSanitized("pack/gantry-pack", [join(import.meta.dirname, "pack.test.ts")]);
