/** The tests of gantry-audit once more, under the sanitizers. */
import { join } from "node:path";
import { testSanitized } from "../../fixtures/sanitized.ts";

testSanitized("audit/gantry-audit", [join(import.meta.dirname, "audit.test.ts")]);
