/** Manifests and configurations, content-addressed. */

import { GantryError } from "../base/errors.ts";
import { exists, readBounded, unlessMissing, writeFileDurably } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { parseDigest } from "../image/digest.ts";
import { digestOf } from "../image/hashing.ts";
import { DOCUMENT_LIMIT } from "../image/layout.ts";
import type { Operation } from "./operation.ts";
import { blobPath, type Store } from "./store.ts";

/** Keeps a document whose digest was verified; the operation must rely on it already. Throws StoreFull. */
export async function keepBlob(operation: Operation, digest: string, bytes: Buffer): Promise<void> {
  const path = blobPath(operation.store, digest);
  if (await exists(path)) return;
  await writeFileDurably(path, bytes, { scratch: operation.directory });
}

/** Writes those of the documents anew that are not what their digests say. Throws StoreFull. */
export async function replaceBlobs(
  operation: Operation,
  documents: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const { store, directory } = operation;
  for (const [digest, bytes] of documents) {
    if (await isSound(store, digest)) continue;
    await writeFileDurably(blobPath(store, digest), bytes, { scratch: directory });
  }
}

async function isSound(store: Store, digest: string): Promise<boolean> {
  try {
    await readStoredBlob(store, digest);
    return true;
  } catch (error) {
    if (error instanceof GantryError && error.kind === "StoreCorrupt") return false;
    throw error;
  }
}

/** A document's bytes, their digest checked once more. Throws StoreCorrupt. */
export async function readStoredBlob(store: Store, digest: string): Promise<Buffer> {
  const path = blobPath(store, digest);
  const bytes = await unlessMissing(readBounded(path, DOCUMENT_LIMIT));
  if (bytes === undefined) throw new GantryError("StoreCorrupt", `${quoted(path)} is missing`);
  const found = digestOf(bytes, parseDigest(digest).algorithm);
  if (found === digest) return bytes;
  throw new GantryError("StoreCorrupt", `${quoted(path)} has digest ${found}`);
}
