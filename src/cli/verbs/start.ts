/** `gantry start POD…`: launches prepared pods, and those that have ended once more, in the background. */
import { checkFront, startInBackground } from "../launch.ts";
import { startThroughAgent } from "../through-agent.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "start",
  synopsis: "POD…",
  summary: "start prepared pods, or those that have ended again, in the background",
  options: [],
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  run: async (context, { operands }) => {
    if (context.uid !== 0) return await startThroughAgent(context, operands);
    checkFront("start");
    const { localManager } = await import("../../manager/local.ts");
    await using manager = localManager(context);
    const pods = [];
    for (const word of operands) pods.push(await manager.launchablePod(word, { again: true }));
    return await startInBackground(context, manager, { pods, restart: false });
  },
};
