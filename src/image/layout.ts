/** An OCI image layout as a directory, and verified reading of its blobs, from a directory or an archive. */
import { constants } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { type Extent, type ImageFiles, readExtent } from "./archive.ts";
import { parseDigest } from "./digest.ts";
import { checkDigest } from "./hashing.ts";
import type { Descriptor } from "./oci.ts";

/** The specification's floor for manifests and configurations is 4 MiB; nothing larger is read into memory. */
export const DOCUMENT_LIMIT = 4 * 1024 * 1024;

/** The files of a layout directory. */
export function openDirectory(path: string): ImageFiles {
  return { path, extent: (name) => directoryExtent(join(path, name), false) };
}

/**
 * The same while a process that nobody trusts writes there: links lead nowhere. The directories in it must belong to
 * somebody else. `shown` names the place in messages.
 */
export function openContestedDirectory(path: string, shown: string): ImageFiles {
  return { path: shown, extent: (name) => directoryExtent(join(path, name), true) };
}

async function directoryExtent(path: string, contested: boolean): Promise<Extent | undefined> {
  const found = await unlessMissing(contested ? lstat(path) : stat(path));
  if (found === undefined) return undefined;
  if ((found.mode & constants.S_IFMT) !== constants.S_IFREG) {
    throw new GantryError("BadImage", `${quoted(path)} is not a regular file`);
  }
  return { path, offset: 0, length: found.size, ...(contested ? { contested } : {}) };
}

/** Where a blob is. Its size is compared first: a wrong one needs no hashing. Throws BadImage, DigestMismatch. */
export async function locateBlob(files: ImageFiles, descriptor: Descriptor, what: string): Promise<Extent> {
  const { algorithm, hex } = parseDigest(descriptor.digest);
  const extent = await files.extent(`blobs/${algorithm}/${hex}`);
  if (extent === undefined) {
    throw new GantryError("BadImage", `${quoted(files.path)} lacks ${what} ${descriptor.digest}`);
  }
  if (extent.length !== descriptor.size) {
    const sizes = `should have ${descriptor.size} bytes but has ${extent.length}`;
    throw new GantryError("DigestMismatch", `${what} ${descriptor.digest} ${sizes}`);
  }
  return extent;
}

/** A document's bytes, size and digest verified. Throws BadImage, DigestMismatch. */
export async function readBlob(files: ImageFiles, descriptor: Descriptor, what: string): Promise<Buffer> {
  const bytes = await readExtent(
    await locateBlob(files, descriptor, what),
    DOCUMENT_LIMIT,
    `${what} ${descriptor.digest}`,
  );
  checkDigest(bytes, descriptor.digest, what);
  return bytes;
}

/** A document that no descriptor vouches for, such as index.json. Throws BadImage when it is missing. */
export async function readDocument(files: ImageFiles, name: string): Promise<Buffer> {
  const extent = await files.extent(name);
  if (extent === undefined) throw new GantryError("BadImage", `${quoted(files.path)} has no ${name}`);
  return await readExtent(extent, DOCUMENT_LIMIT, quoted(join(files.path, name)));
}
