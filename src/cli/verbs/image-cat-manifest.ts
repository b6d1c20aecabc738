/** gantry image cat-manifest IMAGE: the appc image manifest. */
import { openImages } from "../../manager/open-images.ts";
import { json } from "../render.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image cat-manifest",
  synopsis: "IMAGE",
  summary: "print the image manifest in appc's form",
  details: "For OCI and Docker images: what their configuration means in appc's words.",
  options: [],
  operands: { min: 1, max: 1 },
  async run(context, { operands }) {
    await using images = await openImages(context);
    context.out(json(await images.manifest(operands[0] ?? "")));
    return 0;
  },
};
