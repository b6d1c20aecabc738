/**
 * Who writes an image's record, one at a time: `images/.claim-<image id>.<operation>`, a symbolic link to the operation's id
 * (docs/on-disk-format.md). Each has a claim of its own, makes it before it looks for others', and writes when there are
 * none: of two the later one sees the earlier. A dead one's is in nobody's way, so none is ever taken over.
 */
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { errnoOf, GantryError } from "../base/errors.ts";
import { namesIn, storeError, unlinkIfPresent } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { CLAIM, claimantLives } from "./claims.ts";
import type { Operation } from "./operation.ts";
import { imagesDirectory } from "./store.ts";

/** Milliseconds for which others are waited for, who may be stopped, and after which they are looked for again. */
const PATIENCE = 60_000;
const LOOK_AGAIN = 10;

/** Claims an image's record. Throws ImageBusy when another one keeps it, StoreFull. */
export async function claimRecord(
  operation: Operation,
  id: string,
  patience = PATIENCE,
): Promise<AsyncDisposable> {
  const path = join(imagesDirectory(operation.store), `${CLAIM}${id}.${operation.id}`);
  const withdraw = async () => {
    await unlinkIfPresent(path);
  };
  const until = performance.now() + patience;
  for (;;) {
    await makeClaim(operation, path);
    const others = await othersOf(operation, id);
    if (others.length === 0) return { [Symbol.asyncDispose]: withdraw };
    const impatient = performance.now() >= until;
    // One of them stays, or all would go on making way for each other.
    if (impatient || others.some((other) => other < operation.id)) await withdraw();
    if (impatient) throw busy(id);
    await setTimeout(LOOK_AGAIN);
  }
}

async function makeClaim({ id, store }: Operation, path: string): Promise<void> {
  try {
    await symlink(id, path);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw storeError(error, imagesDirectory(store));
  }
}

/** The operations that claim it, too. */
async function othersOf({ id: own, store }: Operation, id: string): Promise<string[]> {
  const beginning = `${CLAIM}${id}.`;
  const found: string[] = [];
  for (const name of await namesIn(imagesDirectory(store))) {
    const owner = name.startsWith(beginning) ? name.slice(beginning.length) : own;
    if (owner !== own && (await claimantLives(store, owner))) found.push(owner);
  }
  return found;
}

function busy(id: string): GantryError {
  const message = `the record of image ${quoted(id)} is being written by another operation`;
  return new GantryError("ImageBusy", message, { hint: "try again" });
}
