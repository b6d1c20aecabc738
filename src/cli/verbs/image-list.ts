/** gantry image list: the images in the store. */
import type { ImageRecord, ListedImage } from "../../manager/images.ts";
import { openImages } from "../../manager/open-images.ts";
import { age, show, table } from "../render.ts";
import { sizeText } from "../size.ts";
import { FORMAT, type Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image list",
  synopsis: "[OPTION…]",
  summary: "list the images in the store, the newest first",
  details:
    "With --format=json: an array of image records, the newest first; of an image whose record can't be read, only its id and " +
    '"damaged": true, behind them.',
  options: [FORMAT, { name: "full", help: "whole ids" }, { name: "no-legend", help: "no line of titles" }],
  async run(context, { options }) {
    await using manager = await openImages(context);
    const images = await manager.list();
    show(context, options.value("format"), {
      table: () => listing(images, { full: options.flag("full"), legend: !options.flag("no-legend") }),
      json: () => images,
    });
    return 0;
  },
};

function listing(
  images: readonly ListedImage[],
  { full, legend }: { full: boolean; legend: boolean },
): string {
  const rows = images.map((image) => [full ? image.id : shortId(image.id), ...cells(image)]);
  const text = table(["ID", "NAME", "SIZE", "IMPORTED", "TRUST"], rows);
  return legend ? text : text.slice(text.indexOf("\n") + 1);
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
