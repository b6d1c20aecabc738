/** The OCI image layout in a transfer's directory: what the fetcher writes and the manager reads (docs/fetcher.md). */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDigest } from "../image/digest.ts";
import type { Descriptor } from "../image/oci.ts";

/** Begins a layout. Nothing is flushed: a transfer that is interrupted is thrown away. */
export async function createLayout(directory: string): Promise<void> {
  for (const algorithm of ["sha256", "sha512"]) {
    await mkdir(join(directory, "blobs", algorithm), { recursive: true });
  }
  await writeFile(join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

/** Where a blob of the layout is. Throws BadImage for what is no digest. */
export function blobPath(directory: string, digest: string): string {
  const { algorithm, hex } = parseDigest(digest);
  return join(directory, "blobs", algorithm, hex);
}

export async function keepBlob(directory: string, digest: string, bytes: Uint8Array): Promise<void> {
  await writeFile(blobPath(directory, digest), bytes);
}

/** Completes a layout: its index has one image. */
export async function writeIndex(directory: string, manifest: Descriptor): Promise<void> {
  const { mediaType, digest, size } = manifest;
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size }] };
  await writeFile(join(directory, "index.json"), JSON.stringify(index));
}
