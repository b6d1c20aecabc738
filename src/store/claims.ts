/**
 * Who fetches a layer, so that no two operations transfer the same one: `layers/.claim-<layer>`, a symbolic link to the
 * operation's id (docs/on-disk-format.md). A claim saves work and protects nothing: whoever publishes a layer that is
 * there already has lost nothing but time.
 */
import { watch } from "node:fs";
import { readlink, rename, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { errnoOf } from "../base/errors.ts";
import { exists, namesIn, readLink, storeError, unlessMissing, unlinkIfPresent } from "../base/file.ts";
import { fileNameOf } from "../image/digest.ts";
import { type Operation, operationLives } from "./operation.ts";
import { imagesDirectory, inboxDirectory, layersDirectory, type Store } from "./store.ts";

export const CLAIM = ".claim-";

/** Milliseconds after which a waiter looks again, whatever the directory's events say: the claimant may have died. */
const LOOK_AGAIN = 1000;

/** Claims a layer; undefined while another operation that lives has it. Throws StoreFull. */
export async function claimLayer(operation: Operation, diffId: string): Promise<AsyncDisposable | undefined> {
  const path = claimPath(operation.store, diffId);
  const owner = await readLink(path);
  if (owner !== undefined && (await claimantLives(operation.store, owner))) return undefined;
  if (!(await (owner === undefined ? create(operation, path) : takeOver(operation, path)))) return undefined;
  return {
    [Symbol.asyncDispose]: async () => {
      if ((await readLink(path)) === operation.id) await unlinkIfPresent(path);
    },
  };
}

/** Resolves when the claim of a layer may have changed, or `signal` was aborted. */
export async function claimChanged(store: Store, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = awaiting();
  const timer = setTimeout(resolve, LOOK_AGAIN);
  const watcher = watch(layersDirectory(store), () => resolve());
  watcher.on("error", () => resolve());
  signal?.addEventListener("abort", resolve);
  if (signal?.aborted) resolve();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    watcher.close();
    signal?.removeEventListener("abort", resolve);
  }
}

function awaiting(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Removes claims, of layers and of records (record-claim.ts), whose operation has ended. */
export async function collectClaims(store: Store): Promise<void> {
  for (const directory of [layersDirectory(store), imagesDirectory(store)]) {
    for (const name of await namesIn(directory)) {
      if (!name.startsWith(CLAIM)) continue;
      const path = join(directory, name);
      const owner = await unlessMissing(readlink(path));
      if (owner !== undefined && !(await claimantLives(store, owner))) await unlinkIfPresent(path);
    }
  }
}

function claimPath(store: Store, diffId: string): string {
  return join(layersDirectory(store), `${CLAIM}${fileNameOf(diffId)}`);
}

/** The process of an operation may outlive it: the agent's does. */
export async function claimantLives(store: Store, id: string): Promise<boolean> {
  return (await operationLives(id)) && (await exists(join(inboxDirectory(store), basename(id))));
}

async function create(operation: Operation, path: string): Promise<boolean> {
  try {
    await symlink(operation.id, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw storeError(error, layersDirectory(operation.store));
  }
}

/** Two may do so at once and both believe it; the layer is then transferred twice. */
async function takeOver(operation: Operation, path: string): Promise<boolean> {
  const ours = join(operation.directory, basename(path));
  try {
    await symlink(operation.id, ours);
    await rename(ours, path);
  } catch (error) {
    throw storeError(error, layersDirectory(operation.store));
  }
  return (await readLink(path)) === operation.id;
}
