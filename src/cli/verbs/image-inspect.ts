/** gantry image inspect IMAGE: everything that is known of it. */
import { inspectImage } from "../../manager/images.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image inspect",
  synopsis: "IMAGE",
  summary: "Print what is known of an image: names, digests, layers, trust verdict, pods that use it",
  options: [],
  operands: { min: 1, max: 1 },
  root: true,
  async run(context, { operands }) {
    context.out(`${JSON.stringify(await inspectImage(context, operands[0] ?? ""), null, 2)}\n`);
    return 0;
  },
};
