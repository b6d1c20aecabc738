/** `gantry stop POD…` */
import { forEachWord } from "../each.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "stop",
  synopsis: "[--force] POD…",
  summary: "stop pods: their apps get their stop signal, and SIGKILL when they take too long",
  options: [{ name: "force", help: "SIGKILL at once" }],
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  run: async (context, { options, operands }) => {
    const { openManager } = await import("../../manager/open.ts");
    await using manager = await openManager(context);
    return await forEachWord(context, operands, async (word) => {
      const { uuid, stopped } = await manager.stopPod(word, { force: options.flag("force") });
      context.out(stopped ? `${uuid}\n` : `pod ${uuid} has ended already\n`);
    });
  },
};
