/**
 * Garbage collection, without a lock (docs/on-disk-format.md): what looks unused is renamed out of the way, then the
 * uses are read again, and what turned out to be in use is put back.
 */
import { rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { errnoOf } from "../base/errors.ts";
import { exists, namesIn, unlessMissing } from "../base/file.ts";
import { collectClaims } from "./claims.ts";
import { imageIds, removeStaleTags } from "./images.ts";
import { removeJudgements } from "./judgement.ts";
import { newOperationId, operationLives } from "./operation.ts";
import { inboxDirectory, type Store } from "./store.ts";
import { removeTree } from "./tree.ts";
import { usedNames } from "./uses.ts";

export type Collected = {
  readonly operations: number;
  readonly layers: number;
  readonly blobs: number;
  readonly tags: number;
};

export type CollectOptions = {
  /** Stops whatever a dead operation left running. */
  readonly stopOperation: (id: string) => Promise<void>;
};

const GARBAGE = ".garbage-";
/** `.garbage-<collector>-<file>`, the collector being named as an operation is. */
const GARBAGE_NAME = /^\.garbage-(\d+-\d+-[0-9a-f]{8}-[0-9a-f]{12})-(.+)$/;

/** What a file of the store is called while an operation, or a collector, has set it aside. */
export function setAsideName(owner: string, path: string): string {
  return `${GARBAGE}${owner}-${basename(path)}`;
}

/** Removes what dead operations left and what nothing uses. */
export async function collectGarbage(store: Store, options: CollectOptions): Promise<Collected> {
  const operations = await collectOperations(store, options);
  await collectClaims(store);
  const ids = new Set(await imageIds(store));
  await removeJudgements(store, (id) => !ids.has(id));
  return {
    operations,
    ...(await collectUnused(store)),
    tags: await removeStaleTags(store),
  };
}

/**
 * Removes layers and blobs that nothing uses. On a full disk a directory may have no room for a longer name: what could be
 * set aside makes some for the rest.
 */
export async function collectUnused(store: Store): Promise<Pick<Collected, "layers" | "blobs">> {
  const total = { layers: 0, blobs: 0 };
  for (;;) {
    const { layers, blobs, refused, files } = await collectOnce(store);
    total.layers += layers;
    total.blobs += blobs;
    if (refused === 0 || files === 0) return total;
  }
}

/** `refused`: files for whose new names there was no space. `files`: how many were removed. */
type Collection = Pick<Collected, "layers" | "blobs"> & { readonly refused: number; readonly files: number };

async function collectOnce(store: Store): Promise<Collection> {
  const collector = await newOperationId();
  const used = await usedNames(store);
  const places = [layersPlace(store), blobsPlace(store, "sha256"), blobsPlace(store, "sha512")];
  const refused = sum(await inOrder(places, (place) => setAside(place, used, collector)));
  // From here on whoever finds something missing makes it anew, and whoever relied on it earlier is read now.
  const usedNow = await usedNames(store);
  const settled = await inOrder(places, (place) => settle(place, usedNow, collector));
  const [layers = 0, ...blobs] = settled.map(({ things }) => things);
  return { layers, blobs: sum(blobs), refused, files: sum(settled.map(({ files }) => files)) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** A directory of things named by digest. */
type Place = {
  readonly directory: string;
  /** The digest's name (`sha256-<hex>`) behind a file name. */
  readonly nameOf: (file: string) => string;
};

function layersPlace({ directory }: Store): Place {
  return { directory: join(directory, "layers"), nameOf: (file) => file.replace(/\.digests$/, "") };
}

function blobsPlace({ directory }: Store, algorithm: string): Place {
  return { directory: join(directory, "blobs", algorithm), nameOf: (file) => `${algorithm}-${file}` };
}

/** Returns for how many files there was no space. */
async function setAside(
  { directory, nameOf }: Place,
  used: ReadonlySet<string>,
  collector: string,
): Promise<number> {
  const files = (await namesIn(directory)).filter((file) => !file.startsWith(".") && !used.has(nameOf(file)));
  // A layer's list sorts behind its tree and must go before it: a layer is whole only with both, and nobody publishes
  // a list while the tree is there.
  const aside = await inOrder(files.reverse(), (file) =>
    setAsideFile(join(directory, file), join(directory, setAsideName(collector, file))),
  );
  return aside.filter((done) => !done).length;
}

/** False when the directory would have to grow for the longer name, and the disk is full. */
async function setAsideFile(from: string, to: string): Promise<boolean> {
  try {
    await unlessMissing(rename(from, to));
    return true;
  } catch (error) {
    if (errnoOf(error) !== "ENOSPC" && errnoOf(error) !== "EDQUOT") throw error;
    return false;
  }
}

type Settled = { readonly things: number; readonly files: number };

/**
 * Removes what this collector set aside, or a dead one, or puts it back; returns how many things were removed, a layer and
 * its list being one, and how many files. What another one set aside is its own to judge: our reading of the uses may be
 * older than its renaming.
 */
async function settle(
  { directory, nameOf }: Place,
  used: ReadonlySet<string>,
  collector: string,
): Promise<Settled> {
  let things = 0;
  let files = 0;
  for (const file of await namesIn(directory)) {
    const [, owner, original] = GARBAGE_NAME.exec(file) ?? [];
    if (owner === undefined || original === undefined) continue;
    if (owner !== collector && (await operationLives(owner))) continue;
    if (used.has(nameOf(original)) && (await putBack(directory, file, original))) continue;
    await removeTree(join(directory, file));
    files++;
    if (!original.endsWith(".digests")) things++;
  }
  return { things, files };
}

async function putBack(directory: string, file: string, original: string): Promise<boolean> {
  if (await exists(join(directory, original))) return false;
  try {
    await rename(join(directory, file), join(directory, original));
    return true;
  } catch (error) {
    // Made anew in the meantime.
    if (errnoOf(error) === "ENOTEMPTY" || errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function collectOperations(store: Store, { stopOperation }: CollectOptions): Promise<number> {
  let removed = 0;
  for (const id of await namesIn(inboxDirectory(store))) {
    if (await operationLives(id)) continue;
    await stopOperation(id);
    await removeTree(join(inboxDirectory(store), id));
    removed++;
  }
  return removed;
}

async function inOrder<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}
