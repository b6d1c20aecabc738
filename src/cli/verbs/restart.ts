/** `gantry restart POD…`: stops what runs, and launches all of them in the background. */
import type { LaunchablePod, PodManager } from "../../manager/manager.ts";
import { checkFront, startInBackground } from "../launch.ts";
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
    const running = [];
    // None is stopped before it is known that all can start again.
    for (const word of operands)
      running.push(await manager.launchablePod(word, { again: true, running: true }));
    const pods = [];
    for (const pod of running) pods.push(await stopped(manager, pod));
    return await startInBackground(context, manager, { pods, restart: true });
  },
};

/** systemd stops an installed one itself: what requires its unit is then restarted with it. */
async function stopped(manager: PodManager, pod: LaunchablePod): Promise<LaunchablePod> {
  if (pod.service !== undefined) return pod;
  const { uuid } = pod;
  const { state } = await manager.podStatus(uuid);
  if (state !== "prepared") await manager.stopPod(uuid, { force: false });
  return await manager.launchablePod(uuid, { again: true });
}
