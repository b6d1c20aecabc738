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

/** The same in the place of what is there and has another digest. */
export async function replaceBlob(operation: Operation, digest: string, bytes: Buffer): Promise<void> {
  await writeFileDurably(blobPath(operation.store, digest), bytes, { scratch: operation.directory });
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
