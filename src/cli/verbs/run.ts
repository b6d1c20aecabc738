/** `gantry run`: prepares a pod and hands it to the native half for its launch. */
import { GantryError } from "../../base/errors.ts";
import { optionLines } from "../help.ts";
import { checkFront, orderLaunch, saveUuid } from "../launch.ts";
import { parsePodWords } from "../pod-grammar.ts";
import { APP_OPTIONS, POD_OPTIONS, POD_SYNOPSIS } from "../pod-options.ts";
import { preparePodWords, withdrawPod } from "../prepare.ts";
import { runThroughAgent } from "../through-agent.ts";
import type { Option, Verb } from "../verb.ts";

const TABLE: readonly Option[] = [
  ...POD_OPTIONS,
  { name: "detach", help: "return when every app is ready, and print the UUID" },
  { name: "uuid-file-save", value: "FILE", help: "write the pod's UUID to this file" },
  { name: "quiet", help: "say nothing but failures" },
];

export const verb: Verb = {
  name: "run",
  synopsis: POD_SYNOPSIS,
  summary: "run a pod of one or more images",
  get details() {
    return `In the foreground its output is shown, signals are passed on, and its apps' exit status is the command's: 128+n
for signal n, 126 or 127 when the program can't be executed or is not there, 125 when Gantry itself failed.
The network is none unless --net=host is given. A pod that has ended stays, with its status and what it wrote, until
gantry rm removes it, or gantry gc, which gantry-gc.timer starts once a day, after half an hour.

Options that follow an image:
${optionLines(APP_OPTIONS)}`;
  },
  options: TABLE,
  raw: true,
  run: async (context, { operands }) => {
    const words = parsePodWords(operands, { pod: TABLE, app: APP_OPTIONS });
    const detach = words.options.flag("detach");
    if (detach && words.options.flag("interactive")) {
      throw new GantryError("Usage", "--detach and --interactive exclude each other");
    }
    if (context.uid !== 0) return await runThroughAgent(context, words);
    checkFront("run");
    const pod = await preparePodWords(context, words);
    try {
      saveUuid(words.options.value("uuid-file-save"), pod.uuid);
    } catch (error) {
      await withdrawPod(context, pod);
      throw error;
    }
    orderLaunch([pod], { detach });
    return 0;
  },
};
