/** `gantry help [VERB…]` */
import { overview, verbHelp } from "../help.ts";
import type { Verb } from "../verb.ts";
import { findVerb, unknownMember } from "../verbs.ts";

export const verb: Verb = {
  name: "help",
  synopsis: "[VERB]",
  summary: "list the verbs, or explain one",
  options: [],
  operands: { min: 0, max: 2 },
  run: async (context, { operands }) => {
    context.out(operands.length === 0 ? await overview() : verbHelp(await wholeVerb(operands)));
    return 0;
  },
};

async function wholeVerb(operands: readonly string[]): Promise<Verb> {
  const { verb, words } = await findVerb(operands);
  if (words[0] === undefined) return verb;
  throw unknownMember(verb.name, words[0]);
}
