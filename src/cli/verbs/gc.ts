/** `gantry gc` */
import { GantryError } from "../../base/errors.ts";
import { POD_GRACE, PREPARED_GRACE } from "../../manager/grace.ts";
import type { Removal } from "../../manager/manager.ts";
import { durationOption } from "../duration.ts";
import type { Context, Option, OptionValues, Verb } from "../verb.ts";

const WHY: Readonly<Record<Removal["why"], string>> = {
  exited: "it has ended",
  expired: "it was prepared and never started",
  aborted: "its preparation was cut off",
  garbage: "its removal was cut off",
};

const OPTIONS: readonly Option[] = [
  { name: "grace-period", value: "DURATION", help: "how long pods that have ended stay; 30m by default" },
  {
    name: "expire-prepared",
    value: "DURATION",
    help: "how long prepared pods wait for their start; 24h by default",
  },
  { name: "dry-run", help: "only say what would go" },
];

export const verb: Verb = {
  name: "gc",
  synopsis: "[OPTION…]",
  summary: "remove pods that have ended, and what unfinished work left",
  options: OPTIONS,
  details:
    "gantry-gc.timer has it done once a day. Images stay: only gantry image gc removes those that nobody uses. Who is " +
    "not root has the agent do it, with the periods that are the default.",
  run: async (context, { options }) => {
    if (context.uid !== 0) return await collectThroughAgent(context, options);
    const { localManager } = await import("../../manager/local.ts");
    await using manager = localManager(context);
    const dryRun = options.flag("dry-run");
    const { removed, notes } = await manager.collectPods({
      gracePeriod: durationOption(options, "grace-period", POD_GRACE),
      expirePrepared: durationOption(options, "expire-prepared", PREPARED_GRACE),
      dryRun,
    });
    for (const { uuid, why } of removed)
      context.out(`${dryRun ? "would remove" : "removed"} pod ${uuid}: ${WHY[why]}\n`);
    for (const note of notes) context.err(`gantry: ${note}\n`);
    return 0;
  },
};

/** The agent has no periods but its own. Throws AccessDenied for others. */
async function collectThroughAgent(context: Context, options: OptionValues): Promise<number> {
  const given = OPTIONS.find(({ name }) => options.value(name) !== undefined);
  if (given !== undefined) {
    const hint = "sudo gantry gc …";
    throw new GantryError("AccessDenied", `gantry gc --${given.name} needs root`, { hint });
  }
  const { refuseForeignDirectory } = await import("../../manager/open.ts");
  refuseForeignDirectory(context);
  const { remoteManager } = await import("../../manager/remote.ts");
  await using manager = remoteManager(context);
  const { pods, notes } = await manager.collectGarbage();
  for (const uuid of pods) context.out(`removed pod ${uuid}\n`);
  for (const note of notes) context.err(`gantry: ${note}\n`);
  return 0;
}
