/** `gantry rm POD…` */
import { forEachWord } from "../each.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "rm",
  synopsis: "[--force] POD…",
  summary: "remove pods with everything they wrote",
  options: [{ name: "force", help: "also a pod that runs: it is killed first" }],
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  run: async (context, { options, operands }) => {
    const { openManager } = await import("../../manager/open.ts");
    await using manager = await openManager(context);
    return await forEachWord(context, operands, async (word) => {
      context.out(`${await manager.removePod(word, { force: options.flag("force") })}\n`);
    });
  },
};
