/** Image records, and the names that lead to them. */

import { readlink, utimes } from "node:fs/promises";
import { basename, join } from "node:path";
import { errnoOf, GantryError } from "../base/errors.ts";
import { namesIn, readBounded, readLink, unlessMissing, unlinkIfPresent } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import type { AppName } from "../image/app-name.ts";
import { ImageRecord } from "../image/record.ts";
import type { ImageReference } from "../image/reference.ts";
import { canonicalName } from "../image/source-name.ts";
import { accessError, imagePath, imagesDirectory, type Store, tagsDirectory } from "./store.ts";
import { askedAs, verdictBy } from "./verdicts.ts";

const ID = /^sha[0-9]+-[0-9a-f]+$/;
export const RECORD_LIMIT = 16 * 1024 * 1024;

/** Every image whose record can be read, the newest first; of its names only those that still mean it. Throws AccessDenied. */
export async function listRecords(store: Store): Promise<ImageRecord[]> {
  return (await surveyRecords(store)).records;
}

export type Survey = {
  readonly records: ImageRecord[];
  /** The ids of those whose records can't be read. */
  readonly damaged: readonly string[];
};

/** The same, and what can't be read: one image's damage is not the others'. */
export async function surveyRecords(store: Store): Promise<Survey> {
  const ids = await imageIds(store);
  const read = await Promise.all(ids.map((id) => unlessDamaged(readRecord(store, id))));
  const records = read.filter((record) => record !== "damaged").filter((record) => record !== undefined);
  return {
    records: records.sort((a, b) => b.imported - a.imported || (a.id < b.id ? -1 : 1)),
    damaged: ids.filter((_, at) => read[at] === "damaged"),
  };
}

export async function unlessDamaged<T>(reading: Promise<T>): Promise<T | "damaged"> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof GantryError && error.kind === "StoreCorrupt") return "damaged";
    throw error;
  }
}

/** One image by its whole id; undefined for any other text, and when its record can't be read. */
export async function readableRecord(store: Store, id: string): Promise<ImageRecord | undefined> {
  const record = ID.test(id) ? await unlessDamaged(readRecord(store, id)) : undefined;
  return record === "damaged" ? undefined : record;
}

/** The ids of all images, sorted. Throws AccessDenied. */
export async function imageIds(store: Store): Promise<string[]> {
  try {
    const names = await namesIn(imagesDirectory(store));
    return names
      .filter((name) => name.endsWith(".json"))
      .map((name) => name.slice(0, -5))
      .filter((id) => ID.test(id));
  } catch (error) {
    throw accessError(error, imagesDirectory(store));
  }
}

/** One image by its whole id, undefined when it is not here. Throws StoreCorrupt. */
export async function readRecord(store: Store, id: string): Promise<ImageRecord | undefined> {
  const record = await readWholeRecord(store, id);
  if (record === undefined) return undefined;
  const current = await Promise.all(record.names.map(async (name) => (await taggedId(store, name)) === id));
  const names = record.names.filter((_, at) => current[at]);
  return { ...record, names, verdicts: record.verdicts.filter(({ name }) => names.includes(name)) };
}

async function readWholeRecord(store: Store, id: string): Promise<ImageRecord | undefined> {
  const path = imagePath(store, id);
  try {
    const bytes = await unlessMissing(readBounded(path, RECORD_LIMIT));
    return bytes === undefined ? undefined : ImageRecord.parse(JSON.parse(bytes.toString()));
  } catch (cause) {
    if (errnoOf(cause) !== undefined) throw cause;
    const hint = `gantry image rm ${id} removes it; it can be fetched again`;
    throw new GantryError("StoreCorrupt", `image record ${quoted(path)} can't be read`, { cause, hint });
  }
}

/** Whether an image that is here has this name. */
export async function isNameTaken(store: Store, name: string): Promise<boolean> {
  return (await taggedId(store, name)) !== undefined;
}

/** The file name of a name. */
export function tagOf(name: string): string {
  return encodeURIComponent(name);
}

async function taggedId(store: Store, name: string): Promise<string | undefined> {
  const target = await readLink(join(tagsDirectory(store), tagOf(name)));
  return target === undefined ? undefined : basename(target, ".json");
}

/** What there is to remove; without a kind its record can't be read. */
export type NamedImage = Pick<ImageRecord, "id" | "names"> & Partial<Pick<ImageRecord, "kind">>;

/** Removes a record and its names; true when it was there. Nothing is written, so it works on a full disk. */
export async function unlinkRecord(store: Store, record: NamedImage): Promise<boolean> {
  const removed = await unlinkIfPresent(imagePath(store, record.id));
  await unlinkNames(store, record.id, record.names);
  return removed;
}

/** Takes names from an image, as far as they mean it. */
async function unlinkNames(store: Store, id: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if ((await taggedId(store, name)) === id) await unlinkIfPresent(join(tagsDirectory(store), tagOf(name)));
  }
}

/** Removes names that lead nowhere, as a crash between record and names leaves them. Returns how many. */
export async function removeStaleTags(store: Store): Promise<number> {
  const ids = new Set(await imageIds(store));
  let removed = 0;
  for (const tag of await namesIn(tagsDirectory(store))) {
    const path = join(tagsDirectory(store), tag);
    const target = await unlessMissing(readlink(path));
    if (target === undefined || ids.has(basename(target, ".json"))) continue;
    if (await unlinkIfPresent(path)) removed++;
  }
  return removed;
}

/** Notes that an image is used now. That this can't be written on a full or read-only disk keeps nobody from using it. */
export async function noteUse(store: Store, id: string): Promise<void> {
  const now = new Date();
  await utimes(imagePath(store, id), now, now).catch(() => {});
}

export type StoredReference = Extract<ImageReference, { kind: "id" | "name" | "registry" }>;

/**
 * The image a reference means here, `argument` being its text. Throws NoSuchImage, AmbiguousName for the beginning
 * of several ids, StoreCorrupt.
 */
export async function findRecord(
  store: Store,
  reference: StoredReference,
  argument: string,
): Promise<ImageRecord> {
  const record = await lookUpRecord(store, reference, argument);
  if (record !== undefined) return record;
  throw noSuchRecord(argument);
}

/** The same, undefined when there is none. */
export async function lookUpRecord(
  store: Store,
  reference: StoredReference,
  argument: string,
): Promise<ImageRecord | undefined> {
  const found = reference.kind === "id" ? await findById(store, reference, argument) : undefined;
  return found ?? (await findByName(store, reference, argument));
}

/** The same for who removes it: an image whose record can't be read is found by its id. */
export async function findRemovable(
  store: Store,
  reference: StoredReference,
  argument: string,
): Promise<NamedImage> {
  const record = await unlessDamaged(findRecord(store, reference, argument));
  if (record !== "damaged") return record;
  const id = reference.kind === "id" ? await matchingId(store, reference, argument) : undefined;
  if (id === undefined) return await findRecord(store, reference, argument);
  return { id, names: await namesOf(store, id) };
}

/** The names that lead to an image. */
async function namesOf(store: Store, id: string): Promise<string[]> {
  const names = (await namesIn(tagsDirectory(store))).map(decodeURIComponent);
  const ids = await Promise.all(names.map((name) => taggedId(store, name)));
  return names.filter((_, at) => ids[at] === id);
}

export function noSuchRecord(argument: string): GantryError {
  return new GantryError("NoSuchImage", `there is no image ${quoted(argument)} in the store`, {
    hint: "gantry image list tells which there are",
  });
}

type IdReference = Extract<StoredReference, { kind: "id" }>;

async function findById(
  store: Store,
  reference: IdReference,
  argument: string,
): Promise<ImageRecord | undefined> {
  const id = await matchingId(store, reference, argument);
  return id === undefined ? undefined : await readRecord(store, id);
}

async function matchingId(
  store: Store,
  { algorithm, hex }: IdReference,
  argument: string,
): Promise<string | undefined> {
  const ids = await imageIds(store);
  const matches = ids.filter((id) => {
    const [ownAlgorithm, ownHex = ""] = id.split("-");
    return (algorithm === undefined || algorithm === ownAlgorithm) && ownHex.startsWith(hex);
  });
  const [id, ...others] = matches;
  if (others.length > 0) {
    const message = `${quoted(argument)} is the beginning of ${matches.length} image ids`;
    throw new GantryError("AmbiguousName", message, { hint: `give more digits of ${matches.join(" or ")}` });
  }
  return id;
}

async function findByName(
  store: Store,
  reference: StoredReference,
  argument: string,
): Promise<ImageRecord | undefined> {
  const name = argument.replace(/^(docker:(\/\/)?|oci:\/\/)/, "");
  const app = reference.kind === "name" ? reference.app : undefined;
  // Bare names are those of files; a registry's image has one name, which a file's may have given itself.
  const isRegistry = reference.kind === "registry";
  const forms = isRegistry
    ? [canonicalName(name)]
    : [name, canonicalName(name), canonicalName(`localhost/${name}`)];
  for (const form of forms) {
    const record = form === undefined ? undefined : await readNamed(store, form);
    if (record === undefined || (isRegistry && isOfFile(record))) continue;
    return app === undefined ? record : askedAs(record, app);
  }
  return app === undefined ? undefined : (await findAllByLabels(store, app))[0];
}

/** Whether the verdict is about what a file calls itself: no registry answered for that. */
function isOfFile({ verdict }: ImageRecord): boolean {
  return verdict.kind !== "insecure" && verdict.transport === "file";
}

/** An image by a whole name: that one in front, and with its verdict. */
async function readNamed(store: Store, name: string): Promise<ImageRecord | undefined> {
  const id = await taggedId(store, name);
  const record = id === undefined ? undefined : await readRecord(store, id);
  const verdict = verdictBy(record, name);
  if (record === undefined || verdict === undefined) return undefined;
  return { ...record, names: [name, ...record.names.filter((other) => other !== name)], verdict };
}

/** The appc images of that name whose labels are the asked ones, the newest first; labels not asked for may have any value. */
export async function findAllByLabels(store: Store, app: AppName): Promise<ImageRecord[]> {
  const asked = Object.entries(app.labels);
  const records = await listRecords(store);
  const found = records.filter(
    ({ kind, names, labels }) =>
      kind === "appc" &&
      names.some((name) => name.split(":")[0] === app.name) &&
      asked.every(([label, value]) => labels[label] === value),
  );
  return found.map((record) => askedAs(record, app));
}
