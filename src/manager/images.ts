/** Images, as the CLI and the agent use them: fetch, list, inspect, remove. */
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Paths } from "../config/paths.ts";
import { type AppcImageManifest, imageManifestOf } from "../image/appc-manifest.ts";
import { groupsOf, type UserGroups } from "../image/passwd.ts";
import type { ImageRecord, Verdict } from "../image/record.ts";
import {
  type FileReference,
  fileReferenceText,
  type ImageReference,
  parseImageReference,
} from "../image/reference.ts";
import { logEvent } from "../journal/journal.ts";
import { readStoredBlob } from "../store/blobs.ts";
import { findRecord, listRecords } from "../store/images.ts";
import type { Progress } from "../store/import.ts";
import { readImageFile } from "../store/layer-file.ts";
import { beginOperation, type Operation } from "../store/operation.ts";
import { removeImageRecord } from "../store/remove.ts";
import { importReference } from "../store/source.ts";
import { openStore, type Store } from "../store/store.ts";
import { unitUnpacker } from "../store/unpack-unit.ts";
import type { Unpacker } from "../store/unpacker.ts";
import { podsUsing } from "../store/uses.ts";
import { connectSystemd, type Systemd } from "../systemd/systemd.ts";
import { type InsecureOption, judgeUnsigned } from "../trust/verdict.ts";
import type { AciFetch, PullPolicy } from "./aci.ts";
import { acceptFile, aciFetch, fetchRemote } from "./aci-fetch.ts";
import type { Transfer } from "./transfer.ts";

export type { ImageRecord } from "../image/record.ts";
export type { Progress } from "../store/import.ts";
export { type InsecureOption, parseInsecureOptions } from "../trust/verdict.ts";

/** What the functions here need of a manager. */
export type ImageManager = {
  readonly paths: Paths;
  /** Runs gantry-unpack; a transient unit of systemd's unless given. */
  readonly unpacker?: Unpacker;
  /** Brings ACIs from other machines. */
  readonly transfer?: (operation: Operation) => Transfer;
};

export type FetchRequest = {
  /** An image argument of any form. */
  readonly source: string;
  readonly insecureOptions: readonly InsecureOption[];
  /** Who asks. */
  readonly uid: number;
  /** When to ask other machines: by default always, and for what a file depends on only where the store lacks it. */
  readonly pullPolicy?: PullPolicy;
  readonly signal?: AbortSignal;
  readonly progress?: (progress: Progress) => void;
};

export type ImageDescription = ImageRecord & {
  /** Bytes of the extracted layers, which other images may share. */
  readonly unpackedSize: number;
  /** Pods that use it. */
  readonly pods: readonly string[];
};

/**
 * Imports an image from a file, a directory or another machine. Throws NotTrusted unless it may run, Unsupported for
 * registries, BadReference, NoSuchImage, BadImage, DigestMismatch, StoreFull, FetchFailed, TimedOut, Cancelled, SystemdFailed.
 */
export async function fetchImage(manager: ImageManager, request: FetchRequest): Promise<ImageRecord> {
  const reference = parseImageReference(request.source);
  const isRemote = reference.kind === "url" || (reference.kind === "name" && reference.app !== undefined);
  if (!isFile(reference) && !isRemote) throw notLocal(reference, request.source);
  const source = isFile(reference) ? fileReferenceText(reference) : request.source;
  // Until there is somebody who reads signatures, nothing needs to be looked at for this.
  const verdict = judgeUnsigned({ ...request, source });
  const store = await openStore(manager.paths.data);
  await using unpacker = lazyUnpacker(manager);
  await using operation = await beginOperation(store);
  const policy = request.pullPolicy ?? (isFile(reference) ? "new" : "update");
  const fetch = aciFetch(manager, request, { operation, unpacker: unpacker.run, policy });
  const record = isFile(reference)
    ? await importFile(fetch, reference, { ...request, verdict })
    : await fetchRemote(fetch, reference, source);
  await logImport(record);
  return record;
}

/**
 * The image an argument means: one in the store for ids and names, an import for files and directories. Throws what
 * fetchImage() throws, AmbiguousName.
 */
export async function ensureImage(manager: ImageManager, request: FetchRequest): Promise<ImageRecord> {
  const reference = parseImageReference(request.source);
  if (isFile(reference)) return await fetchImage(manager, request);
  return await findImage(manager, request.source);
}

/** Every image, the newest first. Throws StoreCorrupt, AccessDenied. */
export async function listImages(manager: ImageManager): Promise<ImageRecord[]> {
  return await listRecords(storeOf(manager));
}

/** The image in the store that an id, the beginning of one or a name means. Throws NoSuchImage, AmbiguousName, BadReference. */
export async function findImage(manager: ImageManager, argument: string): Promise<ImageRecord> {
  const reference = parseImageReference(argument);
  if (isFile(reference) || reference.kind === "url") {
    throw new GantryError("BadReference", `${quoted(argument)} is not a name or id of an image in the store`);
  }
  return await findRecord(storeOf(manager), reference, argument);
}

/** Everything that is known of an image. Throws as findImage(). */
export async function inspectImage(manager: ImageManager, argument: string): Promise<ImageDescription> {
  const record = await findImage(manager, argument);
  const unpackedSize = record.layers.reduce((sum, layer) => sum + layer.unpackedSize, 0);
  return { ...record, unpackedSize, pods: await podsUsing(storeOf(manager), record.id) };
}

/** Removes an image and the layers only it used. Throws as findImage(), ImageBusy. */
export async function removeImage(manager: ImageManager, argument: string): Promise<ImageRecord> {
  const record = await findImage(manager, argument);
  await removeImageRecord(storeOf(manager), record);
  await logEvent("image-removed", `Removed image ${record.names[0] ?? record.id}`, imageFields(record));
  return record;
}

/** The appc image manifest: an ACI's own, or what an OCI or Docker configuration means in appc's words. */
export async function imageManifest(manager: ImageManager, argument: string): Promise<AppcImageManifest> {
  const record = await findImage(manager, argument);
  const store = storeOf(manager);
  if (record.kind !== "appc") return imageManifestOf(record, await userGroups(store, record));
  return JSON.parse((await readStoredBlob(store, record.configDigest)).toString());
}

async function userGroups(store: Store, record: ImageRecord): Promise<UserGroups | undefined> {
  const { user } = record.app;
  if (user === "" || user.includes(":")) return undefined;
  const [passwd, group] = await Promise.all([
    readImageFile(store, record, "etc/passwd"),
    readImageFile(store, record, "etc/group"),
  ]);
  return groupsOf(user, { passwd, group });
}

function storeOf(manager: ImageManager): Store {
  return { directory: manager.paths.data };
}

function isFile(reference: ImageReference): reference is FileReference {
  return "path" in reference;
}

async function importFile(
  fetch: AciFetch,
  reference: FileReference,
  { verdict, progress }: Pick<FetchRequest, "progress"> & { readonly verdict: Verdict },
): Promise<ImageRecord> {
  const source = fileReferenceText(reference);
  return await importReference(fetch.operation, reference, {
    ...fetch,
    acceptImage: async () => verdict,
    acceptAci: (aci, path) => acceptFile(fetch, { aci, path, source }),
    source,
    progress,
  });
}

function notLocal(reference: ImageReference, source: string): GantryError {
  const hints: Partial<Record<ImageReference["kind"], string>> = {
    registry: "pulling from registries comes with the registry milestone",
    name: "it is the name of a registry's image",
  };
  const hint = hints[reference.kind];
  if (hint === undefined)
    return new GantryError("BadReference", `${quoted(source)} is an id: it names nothing to fetch`);
  const today = "fetch an OCI layout, an archive or an .aci file instead";
  return new GantryError("Unsupported", `${quoted(source)} can't be fetched yet: ${hint}`, { hint: today });
}

/** Connects to systemd only when there is something to unpack. */
function lazyUnpacker(manager: ImageManager): AsyncDisposable & { readonly run: Unpacker } {
  let systemd: Promise<Systemd> | undefined;
  const program = join(manager.paths.libexec, "gantry-unpack");
  const run: Unpacker = async (request) => {
    systemd ??= connectSystemd();
    return await unitUnpacker(await systemd, program)(request);
  };
  return {
    run: manager.unpacker ?? run,
    [Symbol.asyncDispose]: async () => {
      // A connection that failed was reported by whoever needed it.
      const connected = await systemd?.catch(() => undefined);
      await connected?.[Symbol.asyncDispose]();
    },
  };
}

async function logImport(record: ImageRecord): Promise<void> {
  const name = record.names[0] ?? record.id;
  const fields = {
    ...imageFields(record),
    GANTRY_SOURCE: record.source,
    GANTRY_UID: String(record.verdict.uid),
  };
  await logEvent("image-imported", `Imported image ${name} from ${record.source}`, fields);
  if (record.verdict.kind !== "insecure") return;
  await logEvent("image-insecure", `Accepted image ${name} without a signature`, fields);
}

function imageFields(record: ImageRecord) {
  return { GANTRY_IMAGE: record.names[0] ?? record.id, GANTRY_IMAGE_DIGEST: record.digest };
}
