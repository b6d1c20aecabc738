/** `gantry uninstall NAME` */
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "uninstall",
  synopsis: "NAME",
  summary: "take an installed pod's definition away",
  details:
    "A pod that runs keeps running, and gantry gc removes it once it has ended. Before: systemctl disable --now " +
    "gantry@NAME.",
  options: [],
  operands: { min: 1, max: 1 },
  run: async (context, { operands: [name = ""] }) => {
    const { openInstaller } = await import("../../manager/open.ts");
    await using installer = await openInstaller(context);
    context.out(`removed ${await installer.uninstall(name)}\n`);
    return 0;
  },
};
