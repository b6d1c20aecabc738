/** Writing of image records: of those who write about one image each sees what the one before has written. */
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { writeFileDurably, writeSymlinkDurably } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { ImageRecord } from "../image/record.ts";
import { noSuchRecord, RECORD_LIMIT, readRecord, tagOf, unlessDamaged } from "./images.ts";
import type { Operation } from "./operation.ts";
import { claimRecord } from "./record-claim.ts";
import { imagePath, tagsDirectory } from "./store.ts";
import { betterOf, withNamesOf } from "./verdicts.ts";

/** A name must fit one file name with its slashes escaped. */
const LONGEST_TAG = 240;

/**
 * Writes a record, with the names it had before and their verdicts, and points its names to it: a name means the image
 * that was imported last. Throws StoreFull, ImageBusy, BadImage for a record that nobody would read.
 */
export async function writeRecord(operation: Operation, record: ImageRecord): Promise<ImageRecord> {
  await using _claim = await claimRecord(operation, record.id);
  const { store, directory } = operation;
  const names = record.names.filter((name) => tagOf(name).length <= LONGEST_TAG);
  const found = await unlessDamaged(readRecord(store, record.id));
  const before = found === "damaged" ? undefined : found;
  const whole = withNamesOf(before, { ...record, names });
  await write(operation, { ...whole, verdict: betterOf(record.verdict, before?.verdict) });
  // The claim lasts until the names lead here: a record has only those that do.
  for (const name of names) {
    const target = join("..", "images", `${record.id}.json`);
    await writeSymlinkDurably(join(tagsDirectory(store), tagOf(name)), target, { scratch: directory });
  }
  return whole;
}

/**
 * Writes a record that is here anew, with other facts; its names are those of now, and lead where they do. Throws NoSuchImage
 * when it is gone, StoreCorrupt, ImageBusy, StoreFull.
 */
export async function amendRecord(
  operation: Operation,
  id: string,
  amend: (record: ImageRecord) => ImageRecord,
): Promise<void> {
  await using _claim = await claimRecord(operation, id);
  const record = await readRecord(operation.store, id);
  if (record === undefined) throw noSuchRecord(id);
  await write(operation, amend(record));
}

async function write({ store, directory }: Operation, record: ImageRecord): Promise<void> {
  const text = `${JSON.stringify(ImageRecord.parse(record), null, 2)}\n`;
  requireReadable(record, Buffer.byteLength(text));
  await writeFileDurably(imagePath(store, record.id), text, { scratch: directory });
}

function requireReadable({ names, id }: ImageRecord, size: number): void {
  if (size <= RECORD_LIMIT) return;
  const what = `the record of image ${quoted(names[0] ?? id)}`;
  throw new GantryError("BadImage", `${what} would have ${size} bytes, the limit is ${RECORD_LIMIT}`);
}
