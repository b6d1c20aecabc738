/**
 * Who writes an image's record, one at a time and in the order they came: `images/.claim-<image id>.<turn>.<operation>`,
 * symbolic links to the operation's id (docs/on-disk-format.md). It is Lamport's bakery: who comes claims without a turn
 * first, reads the clock for its turn then, and writes once nobody has an earlier one and nobody is still without. A dead
 * one's claims are in nobody's way, so none is ever taken over.
 */
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { GantryError } from "../base/errors.ts";
import { namesIn, storeError, unlinkIfPresent } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { CLAIM, claimantLives } from "./claims.ts";
import type { Operation } from "./operation.ts";
import { imagesDirectory } from "./store.ts";

/** Milliseconds for which others are waited for, who may be stopped, and after which they are looked for again. */
const PATIENCE = 60_000;
const LOOK_AGAIN = 10;

const TURN_DIGITS = 20;
/** What stands for a turn that is being drawn; it is before all others, who therefore wait for it to be drawn. */
const UNDRAWN = "0".repeat(TURN_DIGITS);

type Claim = {
  readonly operation: Operation;
  readonly directory: string;
  readonly image: string;
};

/** Claims an image's record. Throws ImageBusy when others keep it, StoreFull. */
export async function claimRecord(
  operation: Operation,
  image: string,
  patience = PATIENCE,
): Promise<AsyncDisposable> {
  const claim = { operation, image, directory: imagesDirectory(operation.store) };
  const until = performance.now() + patience;
  const turn = await drawTurn(claim);
  while (!(await isFirst(claim, turn))) {
    if (performance.now() >= until) {
      await withdraw(claim, turn);
      throw busy(image);
    }
    await setTimeout(LOOK_AGAIN);
  }
  return { [Symbol.asyncDispose]: () => withdraw(claim, turn) };
}

/** Processes share the monotonic clock, and turns of one length are in its order. */
async function drawTurn(claim: Claim): Promise<string> {
  await claimTurn(claim, UNDRAWN);
  try {
    const turn = process.hrtime.bigint().toString().padStart(TURN_DIGITS, "0");
    await claimTurn(claim, turn);
    return turn;
  } finally {
    await withdraw(claim, UNDRAWN);
  }
}

async function claimTurn(claim: Claim, turn: string): Promise<void> {
  try {
    await symlink(claim.operation.id, pathOf(claim, turn));
  } catch (error) {
    throw storeError(error, claim.directory);
  }
}

/**
 * Looks twice: a listing may show neither of the claims of who draws its turn while the listing is made, and then the next
 * one shows the turn.
 */
async function isFirst(claim: Claim, turn: string): Promise<boolean> {
  return (await noneIsBefore(claim, turn)) && (await noneIsBefore(claim, turn));
}

async function noneIsBefore({ operation, directory, image }: Claim, turn: string): Promise<boolean> {
  const beginning = `${CLAIM}${image}.`;
  const own = `${turn}.${operation.id}`;
  for (const name of await namesIn(directory)) {
    const other = name.startsWith(beginning) ? name.slice(beginning.length) : own;
    if (other < own && (await claimantLives(operation.store, other.slice(other.indexOf(".") + 1))))
      return false;
  }
  return true;
}

async function withdraw(claim: Claim, turn: string): Promise<void> {
  await unlinkIfPresent(pathOf(claim, turn));
}

function pathOf({ operation, directory, image }: Claim, turn: string): string {
  return join(directory, `${CLAIM}${image}.${turn}.${operation.id}`);
}

function busy(id: string): GantryError {
  const message = `the record of image ${quoted(id)} is being written by another operation`;
  return new GantryError("ImageBusy", message, { hint: "try again" });
}
