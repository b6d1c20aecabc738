/** `gantry run-prepared POD`: launches a pod that `prepare` made. */
import { checkFront, orderLaunch } from "../launch.ts";
import { needsDetach, startThroughAgent } from "../through-agent.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "run-prepared",
  synopsis: "[--detach] POD",
  summary: "run a prepared pod",
  options: [{ name: "detach", help: "return when every app is ready, and print the UUID" }],
  operands: { min: 1, max: 1 },
  run: async (context, { options, operands: [word = ""] }) => {
    if (context.uid !== 0 && options.flag("detach")) return await startThroughAgent(context, [word]);
    if (context.uid !== 0) throw needsDetach("run-prepared");
    checkFront("run-prepared");
    const { localManager } = await import("../../manager/local.ts");
    await using manager = localManager(context);
    const pod = await manager.launchablePod(word, { again: false });
    orderLaunch([pod], { detach: options.flag("detach") });
    return 0;
  },
};
