/** Finds the image behind a reference to a file or directory, whatever form it has, and takes it into the store. */
import { stat } from "node:fs/promises";
import { GantryError } from "../base/errors.ts";
import { openRegular, unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { type Archive, compressionOf, type Extent, type ImageFiles, openArchive } from "../image/archive.ts";
import { readDockerArchive } from "../image/docker-archive.ts";
import { openDirectory } from "../image/layout.ts";
import type { HostPlatform } from "../image/platform.ts";
import type { ImageRecord } from "../image/record.ts";
import type { FileReference } from "../image/reference.ts";
import { readLayout, type SourceImage, type SourceOptions } from "../image/source.ts";
import type { Judged } from "../trust/subject.ts";
import { type Acceptance, keepAci, type UnpackedAci, unpackAci } from "./aci.ts";
import { decompressArchive, type ImportOptions, importImage } from "./import.ts";
import type { Operation } from "./operation.ts";
import { accessError } from "./store.ts";
import type { Tools } from "./tool.ts";

/** Who decides about an image once its documents are known; what they throw refuses it. */
export type Acceptors = {
  /** `files` is the layout it lies in; a `docker save` archive is none. */
  readonly acceptImage: (image: SourceImage, files: ImageFiles | undefined) => Promise<JudgedImage>;
  readonly acceptAci: (aci: UnpackedAci, path: string) => Promise<Acceptance>;
};

export type JudgedImage = Judged & Pick<ImportOptions, "verdicts">;

type FindOptions = Pick<ImportOptions, "unpacker" | "signal"> & { readonly host: HostPlatform };
type Options = Omit<ImportOptions, "verdict"> &
  Acceptors & { readonly host: HostPlatform; readonly tools: Tools };

/** Digest and size of a compressed archive as it was given. */
type Served = { readonly digest: string; readonly size: number };

type Found =
  | { readonly kind: "image"; readonly image: SourceImage; readonly files?: ImageFiles }
  | { readonly kind: "aci"; readonly extent: Extent; readonly served?: Served };

/**
 * Imports the image that `reference` leads to. Throws NoSuchImage when nothing is there, and whatever reading,
 * choosing and importing throw.
 */
export async function importReference(
  operation: Operation,
  reference: FileReference,
  options: Options,
): Promise<ImageRecord> {
  const found = await findSource(operation, reference, options);
  if (found.kind === "image") {
    const judged = await options.acceptImage(found.image, found.files);
    return await importImage(operation, found.image, { ...options, ...judged });
  }
  const what = quoted(options.source);
  const aci = await unpackAci(operation, found, { ...options, what, part: "aci" });
  const acceptance = await options.acceptAci(aci, reference.path);
  return await keepAci(operation, { aci, acceptance }, options);
}

/** What a reference leads to, its documents verified. Throws NoSuchImage, and whatever reading and choosing throw. */
export async function findSource(
  operation: Operation,
  reference: FileReference,
  options: FindOptions,
): Promise<Found> {
  const { path } = reference;
  const directory = await isDirectory(path);
  switch (reference.kind) {
    case "oci-layout":
      if (!directory) throw new GantryError("BadImage", `${quoted(path)} is not a directory`);
      return await layoutFound(openDirectory(path), { ref: reference.ref, host: options.host });
    case "oci-archive": {
      const { archive } = await openOuter(operation, path, options);
      return await layoutFound(archive, { ref: reference.ref, host: options.host });
    }
    case "docker-archive": {
      const { archive } = await openOuter(operation, path, options);
      return { kind: "image", image: await readDockerArchive(archive, reference.ref) };
    }
    case "file":
      if (directory) return await layoutFound(openDirectory(path), { host: options.host });
      return path.endsWith(".aci") ? await aciFile(path) : await findByContent(operation, path, options);
  }
}

async function layoutFound(files: ImageFiles, options: SourceOptions): Promise<Found> {
  return { kind: "image", image: await readLayout(files, options), files };
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    const found = await unlessMissing(stat(path));
    if (found !== undefined) return found.isDirectory();
  } catch (error) {
    throw accessError(error, path);
  }
  throw new GantryError("NoSuchImage", `there is no file or directory ${quoted(path)}`);
}

/**
 * An ACI need not be indexed: the unpacker reads it from its beginning, compressed or not. systemd opens it for the
 * unpacker, and would wait for ever at a FIFO that nobody writes to.
 */
async function aciFile(path: string): Promise<Found> {
  await using file = await openRegular(path);
  return { kind: "aci", extent: { path, offset: 0, length: (await file.stat()).size } };
}

async function findByContent(operation: Operation, path: string, options: FindOptions): Promise<Found> {
  const { archive, extent, served } = await openOuter(operation, path, options);
  // docker save writes an OCI layout as well: the layout has a manifest of its own, with sizes and digests.
  if (archive.names.has("oci-layout")) return await layoutFound(archive, { host: options.host });
  if (archive.names.has("manifest.json")) {
    return { kind: "image", image: await readDockerArchive(archive, undefined) };
  }
  if (archive.names.has("manifest")) {
    return { kind: "aci", extent, ...(served === undefined ? {} : { served }) };
  }
  throw new GantryError("BadImage", `${quoted(path)} is no ACI, no OCI archive and no docker save archive`);
}

type Outer = { readonly archive: Archive; readonly extent: Extent; readonly served?: Served };

/** An archive of an image as an uncompressed tar: itself, or a copy in the inbox. */
async function openOuter(operation: Operation, path: string, options: FindOptions): Promise<Outer> {
  const compressed = (await compressionOf(path)) !== undefined;
  const plain = compressed ? await decompressArchive(operation, path, options) : { path };
  const archive = await openArchive(plain.path, path);
  const extent = { path: plain.path, offset: 0, length: (await stat(plain.path)).size };
  return { archive, extent, ...("served" in plain ? { served: plain.served } : {}) };
}
