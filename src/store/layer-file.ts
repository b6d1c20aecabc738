/** A single small file of an image, read through its layers without mounting them. */
import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { readBounded, unlessMissing } from "../base/file.ts";
import type { ImageRecord } from "../image/record.ts";
import { layerPath, type Store } from "./store.ts";

const LIMIT = 1024 * 1024;

/**
 * The text of a file of the image, from the topmost layer that says something about it; empty when there is none, or
 * when a symbolic link is on the way, which would lead out of the layer. `path` is relative.
 */
export async function readImageFile(store: Store, image: ImageRecord, path: string): Promise<string> {
  for (const { diffId } of [...image.layers].reverse()) {
    const found = await lookUp(layerPath(store, diffId), path.split("/"));
    if (found === undefined) continue;
    return found.isFile() && found.size <= LIMIT
      ? (await readBounded(join(layerPath(store, diffId), path), LIMIT)).toString()
      : "";
  }
  return "";
}

/** What a layer has at `path`: the first thing on the way that is no directory ends it, as a whiteout does. */
async function lookUp(tree: string, path: readonly string[]): Promise<Stats | undefined> {
  let at = tree;
  let found: Stats | undefined;
  for (const name of path) {
    at = join(at, name);
    found = await unlessMissing(lstat(at));
    if (found === undefined || !found.isDirectory()) break;
  }
  return found;
}
