/** `gantry refresh NAME`: what gantry@.service has done when a definition, or trust, has changed since the last start. */
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "refresh",
  synopsis: "NAME",
  summary:
    "prepare an installed pod anew if its definition has changed, else judge its images again if trust has",
  options: [],
  operands: { min: 1, max: 1 },
  run: async (context, { operands: [name = ""] }) => {
    const { openInstaller } = await import("../../manager/open.ts");
    await using installer = await openInstaller(context);
    const pod = await installer.refresh(name);
    for (const warning of pod.warnings) context.err(`gantry: ${warning}\n`);
    context.out(`${pod.uuid}\n`);
    return 0;
  },
};
