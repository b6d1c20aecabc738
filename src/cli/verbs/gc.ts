/** `gantry gc` */
import type { Removal } from "../../manager/manager.ts";
import { durationOption } from "../duration.ts";
import type { Verb } from "../verb.ts";

const WHY: Readonly<Record<Removal["why"], string>> = {
  exited: "it has ended",
  expired: "it was prepared and never started",
  aborted: "its preparation was cut off",
  garbage: "its removal was cut off",
};

export const verb: Verb = {
  name: "gc",
  synopsis: "[OPTION…]",
  summary: "remove pods that have ended, and what unfinished work left",
  options: [
    { name: "grace-period", value: "DURATION", help: "how long pods that have ended stay; 30m by default" },
    {
      name: "expire-prepared",
      value: "DURATION",
      help: "how long prepared pods wait for their start; 24h by default",
    },
    { name: "dry-run", help: "only say what would go" },
  ],
  root: true,
  run: async (context, { options }) => {
    const { localManager } = await import("../../manager/local.ts");
    await using manager = localManager(context);
    const dryRun = options.flag("dry-run");
    const { removed, notes } = await manager.collectPods({
      gracePeriod: durationOption(options, "grace-period", 30 * 60_000),
      expirePrepared: durationOption(options, "expire-prepared", 24 * 3_600_000),
      dryRun,
    });
    for (const { uuid, why } of removed)
      context.out(`${dryRun ? "would remove" : "removed"} pod ${uuid}: ${WHY[why]}\n`);
    for (const note of notes) context.err(`gantry: ${note}\n`);
    return 0;
  },
};
