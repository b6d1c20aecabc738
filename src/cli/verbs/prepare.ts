/** `gantry prepare`: everything that `run` does before the launch. */
import { parsePodWords } from "../pod-grammar.ts";
import { APP_OPTIONS, POD_OPTIONS, POD_SYNOPSIS } from "../pod-options.ts";
import { preparePodWords } from "../prepare.ts";
import type { Verb } from "../verb.ts";

const TABLE = [...POD_OPTIONS, { name: "quiet", help: "print only the UUID" }];

export const verb: Verb = {
  name: "prepare",
  synopsis: POD_SYNOPSIS,
  summary: "prepare a pod to be run later; prints its UUID",
  options: TABLE,
  details: "See gantry run --help for the options that follow an image.",
  raw: true,
  run: async (context, { operands }) => {
    const words = parsePodWords(operands, { pod: TABLE, app: APP_OPTIONS });
    const pod = await preparePodWords(context, words);
    context.out(`${pod.uuid}\n`);
    return 0;
  },
};
