/** gantry image rm IMAGE…: removes images and the layers only they used. */
import { openImages } from "../../manager/open-images.ts";
import { forEachWord } from "../each.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image rm",
  synopsis: "IMAGE…",
  summary: "remove images that no pod uses",
  details: "Prints the id of each removed image. Needs no free space on the disk.",
  options: [],
  operands: { min: 1, max: 1000 },
  async run(context, { operands }) {
    await using images = await openImages(context);
    return await forEachWord(context, operands, async (image) => {
      context.out(`${await images.remove(image)}\n`);
    });
  },
};
