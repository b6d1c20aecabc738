/** `gantry cat-manifest POD` */
import { json } from "../render.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "cat-manifest",
  synopsis: "POD",
  summary: "print a pod's manifest",
  options: [],
  operands: { min: 1, max: 1 },
  run: async (context, { operands: [word = ""] }) => {
    const { openManager } = await import("../../manager/open.ts");
    await using manager = await openManager(context);
    context.out(json(await manager.podManifest(word)));
    return 0;
  },
};
