/** Collection of images, for the command line and the agent. */
import { logEvent } from "../journal/journal.ts";
import { collectImages as collect, type ImageCollection, type ImageGcOptions } from "../store/image-gc.ts";
import type { ImageManager } from "./images.ts";

export type { ImageCollection, ImageGcOptions } from "../store/image-gc.ts";

/** Removes images that nobody uses, and tells the journal. Throws StoreCorrupt, AccessDenied. */
export async function collectImages(
  { paths }: Pick<ImageManager, "paths">,
  options: ImageGcOptions,
): Promise<ImageCollection> {
  const collected = await collect({ directory: paths.data }, options);
  const { images, layers, blobs } = collected;
  if (!options.dryRun && images.length + layers + blobs > 0) {
    const counts = `${images.length} images, ${layers} layers, ${blobs} blobs`;
    await logEvent("garbage-collected", `Collected garbage: ${counts}`);
  }
  return collected;
}
