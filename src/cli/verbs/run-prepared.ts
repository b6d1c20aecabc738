/** `gantry run-prepared POD`: launches a pod that `prepare` made. */
import { GantryError } from "../../base/errors.ts";
import { quoted } from "../../base/text.ts";
import type { LaunchablePod } from "../../manager/manager.ts";
import { checkFront, orderLaunch, startInBackground } from "../launch.ts";
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
    if (options.flag("detach"))
      return await startInBackground(context, manager, { pods: [pod], restart: false });
    if (pod.service !== undefined) throw needsBackground(pod);
    orderLaunch([pod], { detach: false });
    return 0;
  },
};

function needsBackground({ name }: LaunchablePod): GantryError {
  return new GantryError("Unsupported", `pod ${quoted(name)} is installed, and never in the foreground`, {
    hint: `gantry start ${name}, and gantry logs --follow ${name}`,
  });
}
