/** Images, as the CLI and the agent use them: fetch, list, inspect, remove. */
import { GantryError } from "../base/errors.ts";
import { quoted, withoutSecrets } from "../base/text.ts";
import type { Environment } from "../config/caller-files.ts";
import type { FindCredentials } from "../config/given-credentials.ts";
import type { Paths } from "../config/paths.ts";
import { type AppcImageManifest, imageManifestOf } from "../image/appc-manifest.ts";
import { groupsOf, type UserGroups } from "../image/passwd.ts";
import type { ImageRecord } from "../image/record.ts";
import {
  type FileReference,
  fileReferenceText,
  type ImageReference,
  parseImageReference,
  repositoryOf,
} from "../image/reference.ts";
import { logEvent } from "../journal/journal.ts";
import { readStoredBlob } from "../store/blobs.ts";
import {
  findRecord,
  findRemovable,
  listRecords,
  type NamedImage,
  readableRecord,
  type StoredReference,
  surveyRecords,
} from "../store/images.ts";
import { readImageFile } from "../store/layer-file.ts";
import { beginOperation, type Operation } from "../store/operation.ts";
import type { Progress } from "../store/progress.ts";
import { removeImageRecord } from "../store/remove.ts";
import { importReference } from "../store/source.ts";
import { openStore, type Store } from "../store/store.ts";
import type { Tools } from "../store/tool.ts";
import type { Unpacker } from "../store/unpacker.ts";
import { podsUsing } from "../store/uses.ts";
import type { Trust } from "../trust/judge.ts";
import type { Judge } from "../trust/subject.ts";
import type { InsecureOption } from "../trust/verdict.ts";
import type { AciFetch } from "./aci.ts";
import { acceptFile, aciFetch, fetchRemote } from "./aci-fetch.ts";
import { judgeFile, readSignature } from "./file.ts";
import type { PullPolicy } from "./pull-policy.ts";
import { fetchRepository, imageFields, logImport } from "./repository-fetch.ts";
import type { Transfer } from "./transfer.ts";
import { openWorkers } from "./workers.ts";

export type { ImageRecord } from "../image/record.ts";
export type { Progress } from "../store/progress.ts";
export { type InsecureOption, parseInsecureOptions } from "../trust/verdict.ts";
export { PULL_POLICIES, type PullPolicy, parsePullPolicy } from "./pull-policy.ts";

/** What the functions here need of a manager. */
export type ImageManager = {
  readonly paths: Paths;
  /** The caller's, where this process is the caller's: credentials and proxies are looked for there. */
  readonly environment?: Environment;
  /** Runs gantry-unpack; a transient unit of systemd's unless given. */
  readonly unpacker?: Unpacker;
  /** Runs gantry-pack and gantry-audit; transient units of systemd's unless given. */
  readonly tools?: Tools;
  /** Brings ACIs from other machines. */
  readonly transfer?: Transfer;
  /** Says why an image may run. */
  readonly judge?: Judge;
  /** What images of the store are judged by again; this host's policy and keys unless given. */
  readonly trust?: Trust;
};

export type FetchRequest = {
  /** An image argument of any form. */
  readonly source: string;
  readonly insecureOptions: readonly InsecureOption[];
  /** When to ask other machines: by default always, and for what a file depends on only where the store lacks it. */
  readonly pullPolicy?: PullPolicy | undefined;
  /** A file with the image's signature: detached for an ACI, else simple signing. */
  readonly signature?: string | undefined;
  /** For registries, handed over by who asks. */
  readonly credentials?: FindCredentials | undefined;
  /** The image of the store that is fetched again because it is damaged. */
  readonly repairs?: ImageRecord | undefined;
  /** Who asks. */
  readonly uid: number;
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
 * Takes an image into the store, from a file, a directory or another machine. Throws NotTrusted unless it may run,
 * BadReference, NoSuchImage, BadImage, DigestMismatch, StoreFull, FetchFailed, TimedOut, Cancelled, SystemdFailed.
 */
export async function fetchImage(manager: ImageManager, request: FetchRequest): Promise<ImageRecord> {
  const reference = parseImageReference(request.source);
  if (reference.kind === "id")
    throw new GantryError("BadReference", `${quoted(request.source)} is an id: it names nothing to fetch`);
  const repository = repositoryOf(reference);
  if (repository !== undefined) return await fetchRepository(manager, request, repository);
  const store = await openStore(manager.paths.data);
  await using workers = openWorkers(manager);
  await using operation = await beginOperation(store);
  const policy = request.pullPolicy ?? (isFile(reference) ? "new" : "update");
  const fetch = aciFetch(manager, request, { store, workers, policy });
  const record = isFile(reference)
    ? await importFile({ ...fetch, operation }, reference, request)
    : await fetchRemote(fetch, reference, request.source);
  await logImport(record);
  return record;
}

/** Every image whose record can be read, the newest first. Throws AccessDenied. */
export async function listImages(manager: ImageManager): Promise<ImageRecord[]> {
  return await listRecords(storeOf(manager));
}

/** An image whose record can't be read. */
export type DamagedImage = { readonly id: string; readonly damaged: true };
export type ListedImage = ImageRecord | DamagedImage;

/** The same, the damaged ones behind them. */
export async function describeImages(manager: ImageManager): Promise<ListedImage[]> {
  const { records, damaged } = await surveyRecords(storeOf(manager));
  return [...records.map(published), ...damaged.map((id): DamagedImage => ({ id, damaged: true }))];
}

/**
 * The image in the store that an id, the beginning of one or a name means. Throws NoSuchImage, AmbiguousName, BadReference,
 * StoreCorrupt.
 */
export async function findImage(manager: ImageManager, argument: string): Promise<ImageRecord> {
  return await findRecord(storeOf(manager), storedReference(argument), argument);
}

/** The image of a whole id; undefined for any other text, and when its record can't be read. */
export async function imageOfId(manager: ImageManager, id: string): Promise<ImageRecord | undefined> {
  return await readableRecord(storeOf(manager), id);
}

/** The same for who removes it: one whose record is damaged is found by its id. */
export async function findRemovableImage(manager: ImageManager, argument: string): Promise<NamedImage> {
  return await findRemovable(storeOf(manager), storedReference(argument), argument);
}

function storedReference(argument: string): StoredReference {
  const reference = parseImageReference(argument);
  if (isFile(reference) || reference.kind === "url") {
    throw new GantryError("BadReference", `${quoted(argument)} is not a name or id of an image in the store`);
  }
  return reference;
}

/** Everything that is known of an image. Throws as findImage(). */
export async function inspectImage(manager: ImageManager, argument: string): Promise<ImageDescription> {
  const record = await findImage(manager, argument);
  const unpackedSize = record.layers.reduce((sum, layer) => sum + layer.unpackedSize, 0);
  return { ...published(record), unpackedSize, pods: await podsUsing(storeOf(manager), record.id) };
}

/** A record as everybody may read it. */
function published<R extends ImageRecord>(record: R): R {
  const { source, remote } = record;
  return {
    ...record,
    source: withoutSecrets(source),
    ...(remote === undefined ? {} : { remote: { ...remote, url: withoutSecrets(remote.url) } }),
  };
}

/** Removes an image and the layers only it used. Throws as findRemovableImage(), ImageBusy. */
export async function removeImage(manager: ImageManager, argument: string): Promise<NamedImage> {
  const image = await findRemovableImage(manager, argument);
  await removeImageRecord(storeOf(manager), image);
  await logEvent("image-removed", `Removed image ${image.names[0] ?? image.id}`, imageFields(image));
  return image;
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
  fetch: AciFetch & { readonly operation: Operation },
  reference: FileReference,
  { progress, signature }: Pick<FetchRequest, "progress" | "signature">,
): Promise<ImageRecord> {
  const source = fileReferenceText(reference);
  const given = signature === undefined ? undefined : await readSignature(signature);
  return await importReference(fetch.operation, reference, {
    ...fetch,
    acceptImage: (image, files) => judgeFile(fetch, { image, files, source, signature: given }),
    acceptAci: (aci, path) => acceptFile(fetch, { aci, path, source, signature: given }),
    source,
    progress,
  });
}
