/** gantry image list: the images in the store. */
import type { ImageRecord, ListedImage } from "../../manager/images.ts";
import { openImages } from "../../manager/open-images.ts";
import { age, NO_LEGEND, show, table, withLegend } from "../render.ts";
import { sizeText } from "../size.ts";
import { FORMAT, type Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image list",
  synopsis: "[OPTION…]",
  summary: "list the images in the store, the newest first",
  details:
    "JUDGED is the verdict when the image was fetched; each start judges anew, as gantry trust explain does. With --format=json: an array of image records, the newest first; of an image whose record can't be read, only its id and " +
    '"damaged": true, behind them.',
  options: [FORMAT, { name: "full", help: "whole ids" }, NO_LEGEND],
  async run(context, { options }) {
    await using manager = await openImages(context);
    const images = await manager.list();
    show(context, options.value("format"), {
      table: () => withLegend(listing(images, options.flag("full")), options),
      json: () => images,
    });
    return 0;
  },
};

function listing(images: readonly ListedImage[], full: boolean): string {
  const rows = images.map((image) => [full ? image.id : shortId(image.id), ...cells(image)]);
  return table(["ID", "NAME", "SIZE", "IMPORTED", "JUDGED"], rows);
}

function cells(image: ListedImage): string[] {
  if ("damaged" in image) return ["-", "-", "-", "damaged"];
  const { names, layers, imported } = image;
  const size = layers.reduce((sum, { unpackedSize }) => sum + unpackedSize, 0);
  return [names.join(",") || "-", sizeText(size), age(imported), trustText(image)];
}

/** One word where all names are trusted alike, else one for each of them. */
function trustText({ names, verdicts, verdict }: ImageRecord): string {
  const kindBy = (name: string) => verdicts.find((one) => one.name === name)?.verdict.kind;
  const kinds = names.map((name) => kindBy(name) ?? verdict.kind);
  return new Set([verdict.kind, ...kinds]).size === 1 ? verdict.kind : kinds.join(",");
}

/** The algorithm and as many digits as always name an image. */
function shortId(id: string): string {
  return id.slice(0, id.indexOf("-") + 13);
}
