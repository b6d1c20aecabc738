/**
 * Who writes an image's record, one at a time: `images/.claim-<image id>.<time>.<operation>`, a symbolic link to the
 * operation's id (docs/on-disk-format.md). Each has a claim of its own, makes it before it looks for others', and writes when
 * there are none: of two the later one sees the earlier. A dead one's is in nobody's way, so none is ever taken over.
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

const TIME_DIGITS = 20;

type Claim = {
  readonly operation: Operation;
  readonly directory: string;
  readonly image: string;
  readonly turn: string;
};

/** Claims an image's record. Throws ImageBusy when another one keeps it, StoreFull. */
export async function claimRecord(
  operation: Operation,
  image: string,
  patience = PATIENCE,
): Promise<AsyncDisposable> {
  const claim = newClaim(operation, image);
  const until = performance.now() + patience;
  for (;;) {
    const first = isFirst(claim, await othersOf(claim));
    if (first) await makeClaim(claim);
    const others = first ? await othersOf(claim) : [];
    if (first && others.length === 0) return { [Symbol.asyncDispose]: () => withdraw(claim) };
    const impatient = performance.now() >= until;
    // The first of those who wait stays, so that nobody who comes later goes before it.
    if (impatient || !first || !isFirst(claim, others)) await withdraw(claim);
    if (impatient) throw busy(image);
    await setTimeout(LOOK_AGAIN);
  }
}

/** Processes share the monotonic clock, and names of one length are in its order. */
function newClaim(operation: Operation, image: string): Claim {
  const time = process.hrtime.bigint().toString().padStart(TIME_DIGITS, "0");
  return { operation, image, turn: `${time}.${operation.id}`, directory: imagesDirectory(operation.store) };
}

function isFirst({ turn }: Claim, others: readonly string[]): boolean {
  return others.every((other) => turn < other);
}

async function makeClaim(claim: Claim): Promise<void> {
  try {
    await symlink(claim.operation.id, pathOf(claim));
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw storeError(error, claim.directory);
  }
}

async function withdraw(claim: Claim): Promise<void> {
  await unlinkIfPresent(pathOf(claim));
}

/** The turns of the operations that claim it, too. */
async function othersOf({ operation, directory, image, turn: own }: Claim): Promise<string[]> {
  const beginning = `${CLAIM}${image}.`;
  const found: string[] = [];
  for (const name of await namesIn(directory)) {
    const turn = name.startsWith(beginning) ? name.slice(beginning.length) : own;
    if (turn !== own && (await claimantLives(operation.store, turn.slice(turn.indexOf(".") + 1))))
      found.push(turn);
  }
  return found;
}

function pathOf({ directory, image, turn }: Claim): string {
  return join(directory, `${CLAIM}${image}.${turn}`);
}

function busy(id: string): GantryError {
  const message = `the record of image ${quoted(id)} is being written by another operation`;
  return new GantryError("ImageBusy", message, { hint: "try again" });
}
