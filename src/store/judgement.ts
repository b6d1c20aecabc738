/**
 * The last judgement of an image by one of its names, `verdicts/<image id>.<beginning of the name>.json`: with it `run` need not have the
 * signatures verified again while nothing of what decides has changed. It is a shortcut and no evidence: without it the image is
 * judged anew. The name is not hashed: loading what hashes costs each command more than all of this.
 */
import { join } from "node:path";
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { namesIn, readBounded, unlessMissing, unlinkIfPresent, writeFileDurably } from "../base/file.ts";
import { type ImageRecord, Verdict } from "../image/record.ts";
import { isGood, type Moment, STAMPED, spanOf } from "../trust/moment.ts";
import type { Store } from "./store.ts";

const DIRECTORY = "verdicts";
const LIMIT = 1024 * 1024;
/** With the id of an image it fits a file's name. Of two names that begin alike the last one has the file. */
const NAME = 100;

const Judgement = z.strictObject({
  version: z.literal(1),
  ...STAMPED,
  /** The time of the verdict in the record that was judged again: an import voids what was said before. */
  recorded: z.int(),
  verdict: Verdict,
});

/** What was said of the image as it is recorded, if that holds now. */
export async function lastJudgement(
  store: Store,
  record: ImageRecord,
  now: Moment,
): Promise<Verdict | undefined> {
  const bytes = await readShortcut(judgementPath(store, record));
  if (bytes === undefined) return undefined;
  const parsed = Judgement.safeParse(parseJson(bytes));
  if (!parsed.success || !isGood(parsed.data, now)) return undefined;
  const { recorded, verdict } = parsed.data;
  return recorded === record.verdict.time && nameOf(verdict) === nameOf(record.verdict) ? verdict : undefined;
}

/** What can't be read is as if it were not there. */
async function readShortcut(path: string): Promise<Buffer | undefined> {
  try {
    return await unlessMissing(readBounded(path, LIMIT));
  } catch (error) {
    if (error instanceof GantryError && error.kind === "BadImage") return undefined;
    throw error;
  }
}

export type NewJudgement = {
  readonly record: ImageRecord;
  readonly verdict: Verdict;
  readonly moment: Moment;
};

/** Throws StoreFull. */
export async function keepJudgement(store: Store, { record, verdict, moment }: NewJudgement): Promise<void> {
  const judgement = { version: 1, ...spanOf([verdict], moment), recorded: record.verdict.time, verdict };
  const text = `${JSON.stringify(judgement)}\n`;
  if (Buffer.byteLength(text) > LIMIT) return;
  // A collector may take the unfinished file: then the shortcut is lost, and nothing else.
  await unlessMissing(writeFileDurably(judgementPath(store, record), text));
}

/** Removes the judgements of images whose id `isGone`. */
export async function removeJudgements(store: Store, isGone: (id: string) => boolean): Promise<void> {
  for (const name of await namesIn(join(store.directory, DIRECTORY))) {
    if (isGone(name.replace(/\..*/, ""))) await unlinkIfPresent(join(store.directory, DIRECTORY, name));
  }
}

export function judgementPath(
  { directory }: Store,
  { id, verdict }: Pick<ImageRecord, "id" | "verdict">,
): string {
  const name = encodeURIComponent(nameOf(verdict)).slice(0, NAME);
  return join(directory, DIRECTORY, `${id}.${name}.json`);
}

function nameOf(verdict: Verdict): string {
  return "reference" in verdict ? verdict.reference : "";
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
