/** Extracted layers: a tree and its digest list, both named by the diff id and shared by all images. */
import { rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "../base/errors.ts";
import { exists, openRegular, readExactly, storeError, syncDirectory, unlessMissing } from "../base/file.ts";
import { layerListPath, layerPath, type Store } from "./store.ts";

export type LayerFacts = { readonly unpackedSize: number; readonly entries: number };

/** Bytes and entries of a layer that is here, from its digest list; undefined when it is not, or not whole. */
export async function layerFacts(store: Store, diffId: string): Promise<LayerFacts | undefined> {
  if (!(await exists(layerPath(store, diffId)))) return undefined;
  const end = await unlessMissing(readEnd(layerListPath(store, diffId)));
  const [, bytes, paths] = /(?:^|\n)t 0 0 0 (\d+) 0 - (\d+)\n$/.exec(end ?? "") ?? [];
  return bytes === undefined ? undefined : { unpackedSize: Number(bytes), entries: Number(paths) };
}

/** Longer than the last line of a list, the totals (docs/unpacker.md). */
const END = 128;

async function readEnd(path: string): Promise<string> {
  await using file = await openRegular(path);
  const { size } = await file.stat();
  const length = Math.min(END, size);
  return (await readExactly(file, { path, position: size - length, length })).toString("latin1");
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
