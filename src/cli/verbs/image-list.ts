/** gantry image list: the images in the store. */
import { openImages } from "../../manager/open-images.ts";
import { ageText, sizeText, table } from "../table.ts";
import { FORMAT, type Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image list",
  synopsis: "[OPTION…]",
  summary: "List the images in the store, the newest first",
  details: "With --format=json: an array of image records, as gantry-on-disk(5) describes them.",
  options: [FORMAT, { name: "full", help: "whole ids" }, { name: "no-legend", help: "no line of titles" }],
  async run(context, { options }) {
    await using manager = await openImages(context);
    const images = await manager.list();
    if (options.value("format") === "json") {
      context.out(`${JSON.stringify(images, null, 2)}\n`);
      return 0;
    }
    const now = Date.now() * 1000;
    const rows = images.map(({ id, names, layers, imported, verdict }) => [
      options.flag("full") ? id : shortId(id),
      names.join(",") || "-",
      sizeText(layers.reduce((sum, { unpackedSize }) => sum + unpackedSize, 0)),
      ageText(imported, now),
      verdict.kind,
    ]);
    const text = table(["ID", "NAME", "SIZE", "IMPORTED", "TRUST"], rows);
    context.out(options.flag("no-legend") ? text.slice(text.indexOf("\n") + 1) : text);
    return 0;
  },
};

/** The algorithm and as many digits as always name an image. */
function shortId(id: string): string {
  return id.slice(0, id.indexOf("-") + 13);
}
