/** `gantry enter POD`, as rkt calls it. */
import type { Verb } from "../verb.ts";
import { verb as exec } from "./exec.ts";

export const verb: Verb = { ...exec, name: "enter", summary: "the same as exec" };
