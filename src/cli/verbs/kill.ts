/** `gantry kill POD` */
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "kill",
  synopsis: "[--signal=SIGNAL] [--app=NAME] POD",
  summary: "send a signal to the main process of a pod's apps",
  options: [
    { name: "signal", value: "SIGNAL", help: "name or number; SIGTERM by default" },
    { name: "app", value: "NAME", help: "this app only" },
  ],
  operands: { min: 1, max: 1 },
  run: async (context, { options, operands: [word = ""] }) => {
    const { openManager } = await import("../../manager/open.ts");
    await using manager = await openManager(context);
    const app = options.value("app");
    const signal = options.value("signal") ?? "SIGTERM";
    await manager.killPod(word, app === undefined ? { signal } : { app, signal });
    return 0;
  },
};
