/** `gantry restart POD…`: stops what runs, and launches all of them in the background. */
import { checkFront, orderLaunch } from "../launch.ts";
import { restartThroughAgent } from "../through-agent.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "restart",
  synopsis: "POD…",
  summary: "stop pods, if they run, and start them in the background",
  options: [],
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  run: async (context, { operands }) => {
    if (context.uid !== 0) return await restartThroughAgent(context, operands);
    checkFront("restart");
    const { localManager } = await import("../../manager/local.ts");
    await using manager = localManager(context);
    const pods = [];
    for (const word of operands) {
      const { uuid, state } = await manager.podStatus(word);
      if (state !== "prepared") await manager.stopPod(uuid, { force: false });
      pods.push(await manager.launchablePod(uuid, { again: true }));
    }
    orderLaunch(pods, { detach: true });
    return 0;
  },
};
