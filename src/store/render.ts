/**
 * The layers of an appc image in render order (appc 0.8.11, "Dependency Matching"): depth first, the dependencies as
 * they are listed, the image itself last. Overlayfs then does what the order means: a later path takes an earlier one's
 * place, and a directory takes that of a symbolic link instead of following it.
 */
import { GantryError } from "../base/errors.ts";
import { fileNameOf } from "../image/digest.ts";
import type { ImageLayer, ImageRecord } from "../image/record.ts";
import type { Whitelist } from "../image/whitelist.ts";
import type { Operation } from "./operation.ts";
import { type PartOptions, partOfLayer } from "./part.ts";

export type Rendering = {
  /** How errors name the image. */
  readonly what: string;
  /** The image's own layer, which is here. */
  readonly own: ImageLayer;
  /** Its pathWhitelist; empty: everything. */
  readonly whitelist: readonly string[];
  /** In the order of its manifest. */
  readonly dependencies: readonly ImageRecord[];
};

/** Overlayfs takes 500. */
const MOST_LAYERS = 256;

/**
 * An image's whitelist filters its own layer and all that it depends on; what the dependencies' own whitelists took is
 * missing from their layers already. Throws BadImage for too many layers, and what partOfLayer() throws.
 */
export async function renderLayers(
  operation: Operation,
  { what, own, whitelist, dependencies }: Rendering,
  options: PartOptions,
): Promise<ImageLayer[]> {
  const below = lastOnly(dependencies.flatMap(({ layers }) => layers));
  if (below.length >= MOST_LAYERS) {
    throw new GantryError("BadImage", `${what} and its dependencies have more than ${MOST_LAYERS} layers`);
  }
  await operation.relyOn([...below, own].map(({ diffId }) => fileNameOf(diffId)));
  if (whitelist.length === 0) return [...below, own];
  const parts: ImageLayer[] = [];
  for (const layer of below) parts.push(await part(layer, { paths: whitelist, own: false }));
  return lastOnly([...parts, await part(own, { paths: whitelist, own: true })]);

  async function part(layer: ImageLayer, filter: Whitelist): Promise<ImageLayer> {
    return await partOfLayer(operation, { layer, whitelist: filter }, options);
  }
}

/** A layer that comes twice covers every path of its earlier self, and overlayfs takes no directory twice. */
function lastOnly(layers: readonly ImageLayer[]): ImageLayer[] {
  const last = new Map(layers.map(({ diffId }, at) => [diffId, at]));
  return layers.filter(({ diffId }, at) => last.get(diffId) === at);
}
