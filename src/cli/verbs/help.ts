/** `gantry help [VERB…]` */
import { overview, verbHelp } from "../help.ts";
import type { Verb } from "../verb.ts";
import { findVerb } from "../verbs.ts";

export const verb: Verb = {
  name: "help",
  synopsis: "[VERB]",
  summary: "list the verbs, or explain one",
  options: [],
  operands: { min: 0, max: 2 },
  run: async (context, { operands }) => {
    if (operands.length === 0) context.out(await overview());
    else context.out(verbHelp((await findVerb(operands)).verb));
    return 0;
  },
};
