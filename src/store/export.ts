/** Images out of the store: as an ACI, as an OCI archive, as a directory. */
import { createReadStream } from "node:fs";
import { chmod, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { storeError } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import type { AppcImageManifest } from "../image/appc-manifest.ts";
import { assembleImage, writeArchive } from "../image/oci-archive.ts";
import { configurationOfApp } from "../image/oci-image.ts";
import type { ImageRecord } from "../image/record.ts";
import { readStoredBlob } from "./blobs.ts";
import type { Operation } from "./operation.ts";
import {
  makeOutput,
  type OutletOptions,
  requireFreeDirectory,
  requireFreeFile,
  writeOutput,
} from "./outlet.ts";
import { type PackCompression, type PackOptions, packLayers } from "./pack.ts";
import { type Unpacker, unpack } from "./unpacker.ts";

export type ExportRequest = OutletOptions & {
  readonly record: ImageRecord;
  /** In appc's words. */
  readonly manifest: AppcImageManifest;
  readonly path: string;
  readonly compression: PackCompression;
};

/** Writes an image as an ACI that needs no other image. Throws FileExists, StoreFull, AccessDenied, Cancelled, Internal. */
export async function exportAci(
  operation: Operation,
  request: ExportRequest,
  options: PackOptions,
): Promise<void> {
  await requireFreeFile(request.path, request);
  const packed = await packLayers(
    operation,
    {
      verb: "aci",
      layers: request.record.layers.map(({ diffId }) => diffId),
      compression: request.compression,
      manifest: await writeManifest(operation, request.manifest),
    },
    options,
  );
  await writeOutput(request.path, request, async (output) => {
    await pipeline(createReadStream(packed.path, { highWaterMark: 1 << 20 }), output);
  });
}

async function writeManifest(operation: Operation, manifest: AppcImageManifest): Promise<string> {
  const path = join(operation.directory, `manifest-${operation.nextNumber()}`);
  try {
    await writeFile(path, JSON.stringify(manifest));
    return path;
  } catch (error) {
    throw storeError(error, operation.directory);
  }
}

/** Writes an image as an OCI archive, layer by layer. Throws as exportAci(), StoreCorrupt. */
export async function exportOci(
  operation: Operation,
  request: ExportRequest,
  options: PackOptions,
): Promise<void> {
  const { record, compression } = request;
  await requireFreeFile(request.path, request);
  const layers = [];
  for (const { diffId } of record.layers) {
    layers.push(await packLayers(operation, { verb: "layer", layers: [diffId], compression }, options));
  }
  const configuration = await configurationFor(operation, record);
  const annotations = record.kind === "oci" ? record.annotations : {};
  const image = assembleImage({ configuration, annotations, layers, compression, ref: record.names[0] });
  await writeOutput(request.path, request, (output) => writeArchive(output, [image]));
}

async function configurationFor({ store }: Operation, record: ImageRecord): Promise<unknown> {
  if (record.kind === "appc") return configurationOfApp(record);
  return JSON.parse((await readStoredBlob(store, record.configDigest)).toString());
}

export type ExtractRequest = OutletOptions & {
  readonly record: ImageRecord;
  readonly manifest: AppcImageManifest;
  readonly path: string;
  /** Without what an image's dependencies give it. */
  readonly own: boolean;
  /** The root file system itself, not `manifest` and `rootfs`. */
  readonly rootfsOnly: boolean;
};

/** Writes an image's files to a directory. Throws FileExists, StoreFull, AccessDenied, Cancelled, Internal. */
export async function extractImage(
  operation: Operation,
  { record, manifest, path, own, rootfsOnly, overwrite }: ExtractRequest,
  options: PackOptions & { readonly unpacker: Unpacker },
): Promise<void> {
  await requireFreeDirectory(path, { overwrite });
  const all = record.layers.map(({ diffId }) => diffId);
  const layers = own && record.kind === "appc" ? all.slice(-1) : all;
  const packed = await packLayers(operation, { verb: "rootfs", layers, compression: "none" }, options);
  await makeOutput(path, { overwrite }, async (scratch) => {
    const archive = { path: packed.path, offset: 0, length: packed.archive.size };
    const part = `extract-${operation.nextNumber()}`;
    const request = { verb: "layer", operation: operation.id, part, into: scratch, archive } as const;
    const checked = { ...request, diffId: `sha256:${packed.diff.sha256}`, signal: options.signal };
    await unpack(options.unpacker, checked, quoted(record.names[0] ?? record.id));
    if (rootfsOnly) return join(scratch, "tree");
    return await withManifest(scratch, manifest);
  });
}

/** The unpacker's own directory becomes the image's. */
async function withManifest(scratch: string, manifest: AppcImageManifest): Promise<string> {
  const made = join(scratch, "image");
  await mkdir(made);
  await chmod(made, 0o755);
  await writeFile(join(made, "manifest"), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o644 });
  await rename(join(scratch, "tree"), join(made, "rootfs"));
  return made;
}
