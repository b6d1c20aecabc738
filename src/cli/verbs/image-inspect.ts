/** gantry image inspect IMAGE: everything that is known of it. */
import { openImages } from "../../manager/open-images.ts";
import { json } from "../render.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image inspect",
  synopsis: "IMAGE",
  summary: "print what is known of an image: names, digests, layers, trust verdict, pods that use it",
  options: [],
  operands: { min: 1, max: 1 },
  async run(context, { operands }) {
    await using images = await openImages(context);
    context.out(json(await images.inspect(operands[0] ?? "")));
    return 0;
  },
};
