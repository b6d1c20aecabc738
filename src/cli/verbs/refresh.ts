/** `gantry refresh NAME`: what gantry@.service has done when a definition has changed since its pod was prepared. */
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "refresh",
  synopsis: "NAME",
  summary: "prepare an installed pod anew from its definition",
  options: [],
  operands: { min: 1, max: 1 },
  root: true,
  run: async (context, { operands: [name = ""] }) => {
    const { localInstaller } = await import("../../manager/local.ts");
    await using installer = localInstaller(context);
    const pod = await installer.refresh(name);
    for (const warning of pod.warnings) context.err(`gantry: ${warning}\n`);
    context.out(`${pod.uuid}\n`);
    return 0;
  },
};
