/** gantry image gc: removes images that nobody has used for a while. */
import { printable } from "../../base/text.ts";
import { IMAGE_GRACE } from "../../manager/grace.ts";
import { durationOption } from "../duration.ts";
import { show } from "../render.ts";
import { FORMAT, type Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image gc",
  synopsis: "[OPTION…]",
  summary: "remove images that nobody has used for a while, and what nothing refers to",
  details:
    "An image is used when a pod is made of it, and as long as there is a pod of it or an image that needs it. Needs no free space on " +
    "the disk. With --format=json: images by their ids and names, and the numbers of layers and documents that nothing referred to.",
  options: [
    {
      name: "grace-period",
      value: "DURATION",
      help: "how long images stay after their last use; 24h by default",
    },
    { name: "dry-run", help: "only say what would go" },
    FORMAT,
  ],
  root: true,
  async run(context, { options }) {
    const { collectImages } = await import("../../manager/image-gc.ts");
    const dryRun = options.flag("dry-run");
    const gracePeriod = durationOption(options, "grace-period", IMAGE_GRACE);
    const { images, layers, blobs } = await collectImages(context, { gracePeriod, dryRun });
    const did = dryRun ? "would remove" : "removed";
    show(context, options.value("format"), {
      table: () =>
        [
          ...images.map(({ id, names }) => `${did} image ${printable(names[0] ?? id)} (${id})\n`),
          ...(layers + blobs > 0
            ? [`${did} ${layers} layers and ${blobs} documents that nothing refers to\n`]
            : []),
        ].join(""),
      json: () => ({ images: images.map(({ id, names }) => ({ id, names })), layers, blobs }),
    });
    return 0;
  },
};
