/** Extracted layers: a tree and its digest list, both named by the diff id and shared by all images. */
import { rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "../base/errors.ts";
import { exists, readBounded, storeError, syncDirectory, unlessMissing } from "../base/file.ts";
import { layerListPath, layerPath, type Store } from "./store.ts";

export type LayerFacts = { readonly unpackedSize: number; readonly entries: number };

// Two million entries (docs/unpacker.md) of long paths.
const LIST_LIMIT = 2 ** 30;

/** Bytes and entries of a layer that is here, from its digest list; undefined when it is not, or not whole. */
export async function layerFacts(store: Store, diffId: string): Promise<LayerFacts | undefined> {
  if (!(await exists(layerPath(store, diffId)))) return undefined;
  const list = await unlessMissing(readBounded(layerListPath(store, diffId), LIST_LIMIT));
  return list === undefined ? undefined : factsOf(list);
}

/** Counts a digest list's lines and adds the sizes of its files. */
function factsOf(list: Buffer): LayerFacts {
  let unpackedSize = 0;
  let entries = 0;
  for (let start = 0, end = list.indexOf(10); end >= 0; start = end + 1, end = list.indexOf(10, start)) {
    const [type, , , , size] = list.toString("latin1", start, end).split(" ", 5);
    entries++;
    if (type === "f") unpackedSize += Number(size);
  }
  return { unpackedSize, entries };
}

/**
 * Moves a finished layer, which the unpacker has synced, from the inbox to its place. That it is there already is
 * success: whoever came first unpacked the same bytes.
 */
export async function publishLayer(store: Store, diffId: string, unpacked: string): Promise<void> {
  const target = layerPath(store, diffId);
  try {
    // The list goes first: a tree without one would not be whole.
    await rename(join(unpacked, "digests"), layerListPath(store, diffId));
    await rename(join(unpacked, "tree"), target);
  } catch (error) {
    if (errnoOf(error) !== "ENOTEMPTY" && errnoOf(error) !== "EEXIST")
      throw storeError(error, dirname(target));
  }
  await syncDirectory(dirname(target));
}
