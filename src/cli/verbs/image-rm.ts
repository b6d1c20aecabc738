/** gantry image rm IMAGE…: removes images and the layers only they used. */
import { removeImage } from "../../manager/images.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image rm",
  synopsis: "IMAGE…",
  summary: "Remove images that no pod uses",
  details: "Prints the id of each removed image. Needs no free space on the disk.",
  options: [],
  operands: { min: 1, max: 1000 },
  root: true,
  async run(context, { operands }) {
    for (const image of operands) context.out(`${(await removeImage(context, image)).id}\n`);
    return 0;
  },
};
