/** The store's directories (docs/on-disk-format.md). */
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, GantryError } from "../base/errors.ts";
import { exists, storeError } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { fileNameOf, parseDigest } from "../image/digest.ts";

export type Store = { readonly directory: string };

/**
 * Everybody may pass through the data directory and pods/, whose members guard themselves. Layers are root's alone:
 * they hold set-user-ID programs that no user of this host may reach.
 */
const DIRECTORIES: readonly (readonly [name: string, mode: number])[] = [
  ["", 0o711],
  ["blobs", 0o700],
  ["blobs/sha256", 0o700],
  ["blobs/sha512", 0o700],
  ["layers", 0o700],
  ["images", 0o700],
  ["tags", 0o700],
  ["verdicts", 0o700],
  ["inbox", 0o700],
  ["pods", 0o711],
  ["names", 0o711],
  ["ids", 0o711],
  ["accepted", 0o700],
];

/** The store in `directory`, created with all its parts where they are missing. Throws StoreFull, AccessDenied. */
export async function openStore(directory: string): Promise<Store> {
  try {
    for (const [name, mode] of DIRECTORIES) await createDirectory(join(directory, name), mode);
  } catch (error) {
    throw accessError(storeError(error, directory), directory);
  }
  return { directory };
}

async function createDirectory(path: string, mode: number): Promise<void> {
  if (await exists(path)) return;
  await mkdir(path, { recursive: true, mode });
  // Not left to the caller's umask.
  await chmod(path, mode);
}

/** Refused by the file system as AccessDenied that names `path`; everything else as it was thrown. */
export function accessError(error: unknown, path: string): unknown {
  if (errnoOf(error) !== "EACCES" && errnoOf(error) !== "EPERM") return error;
  return new GantryError("AccessDenied", `${quoted(path)} is not accessible`, {
    cause: error,
    hint: "run the command as root",
  });
}

export function blobPath(store: Store, digest: string): string {
  const { algorithm, hex } = parseDigest(digest);
  return join(store.directory, "blobs", algorithm, hex);
}

/** The tree of a layer by its diff id. */
export function layerPath(store: Store, diffId: string): string {
  return join(store.directory, "layers", fileNameOf(diffId));
}

/** The digest list of a layer by its diff id. */
export function layerListPath(store: Store, diffId: string): string {
  return `${layerPath(store, diffId)}.digests`;
}

export function layersDirectory(store: Store): string {
  return join(store.directory, "layers");
}

export function imagesDirectory(store: Store): string {
  return join(store.directory, "images");
}

export function imagePath(store: Store, id: string): string {
  return join(imagesDirectory(store), `${id}.json`);
}

export function tagsDirectory(store: Store): string {
  return join(store.directory, "tags");
}

export function inboxDirectory(store: Store): string {
  return join(store.directory, "inbox");
}
