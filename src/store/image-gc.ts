/** Images that nobody has used for a while, and what in the store nothing names. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { namesIn, unlessMissing } from "../base/file.ts";
import type { ImageRecord } from "../image/record.ts";
import { collectUnused } from "./gc.ts";
import { listRecords } from "./images.ts";
import { removeRemains, unlinkImage } from "./remove.ts";
import { imagePath, type Store } from "./store.ts";
import { namesUsedByPods, usedNames } from "./uses.ts";

export type ImageGcOptions = {
  /** Milliseconds for which an image stays after its last use. */
  readonly gracePeriod: number;
  /** Only say what would go. */
  readonly dryRun: boolean;
};

export type ImageCollection = {
  readonly images: readonly ImageRecord[];
  /** What nothing names, beside what goes with the images. */
  readonly layers: number;
  readonly blobs: number;
};

/** Removes images that no pod and no other image needs, and that nobody has used within the grace period. */
export async function collectImages(store: Store, options: ImageGcOptions): Promise<ImageCollection> {
  const images = await removable(store, options);
  if (options.dryRun) return { images, ...(await countUnused(store)) };
  const unused = await collectUnused(store);
  const removed: ImageRecord[] = [];
  // Those that need others come first.
  for (const record of images) if (await remove(store, record)) removed.push(record);
  const ids = new Set(removed.map(({ id }) => id));
  // Once for all of them: it reads what every image and pod uses.
  if (ids.size > 0) await removeRemains(store, (id) => ids.has(id));
  return { images: removed, ...unused };
}

/** In an order in which none is needed by a later one. */
async function removable(store: Store, { gracePeriod }: ImageGcOptions): Promise<ImageRecord[]> {
  const records = await listRecords(store);
  const podded = await namesUsedByPods(store);
  const idle: ImageRecord[] = [];
  for (const record of records) {
    const used = Date.now() - (await lastUse(store, record)) < gracePeriod;
    if (!used && !podded.has(record.id)) idle.push(record);
  }
  const staying = records.filter((record) => !idle.includes(record));
  const needed = new Set(staying.flatMap(({ dependencies = [] }) => dependencies));
  const going = idle.filter(({ id }) => !needed.has(id));
  // A record names all its dependencies, theirs as well: who has more of them is further up.
  const depth = ({ dependencies = [] }: ImageRecord) => dependencies.length;
  return going.sort((a, b) => depth(b) - depth(a));
}

/** Milliseconds since the epoch: when a pod was made of it last, or when it was imported. */
async function lastUse(store: Store, { id, imported }: ImageRecord): Promise<number> {
  const found = await unlessMissing(stat(imagePath(store, id)));
  return Math.max(found?.mtimeMs ?? 0, imported / 1000);
}

/** False when it has come into use, or gone, in the meantime. */
async function remove(store: Store, record: ImageRecord): Promise<boolean> {
  try {
    await unlinkImage(store, record);
    return true;
  } catch (error) {
    const late = error instanceof GantryError && (error.kind === "ImageBusy" || error.kind === "NoSuchImage");
    if (late) return false;
    throw error;
  }
}

async function countUnused(store: Store): Promise<{ layers: number; blobs: number }> {
  const used = await usedNames(store);
  const unused = async (directory: string, nameOf: (file: string) => string) => {
    const files = await namesIn(join(store.directory, directory));
    return files.filter(
      (file) => !file.startsWith(".") && !file.endsWith(".digests") && !used.has(nameOf(file)),
    ).length;
  };
  return {
    layers: await unused("layers", (file) => file),
    blobs:
      (await unused("blobs/sha256", (file) => `sha256-${file}`)) +
      (await unused("blobs/sha512", (file) => `sha512-${file}`)),
  };
}
