/** gantry image cat-manifest IMAGE: the appc image manifest. */
import { imageManifest } from "../../manager/images.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image cat-manifest",
  synopsis: "IMAGE",
  summary: "Print the image manifest in appc's form",
  details: "For OCI and Docker images: what their configuration means in appc's words.",
  options: [],
  operands: { min: 1, max: 1 },
  root: true,
  async run(context, { operands }) {
    context.out(`${JSON.stringify(await imageManifest(context, operands[0] ?? ""), null, 2)}\n`);
    return 0;
  },
};
