/** Images out of the store, for root: what may be read is decided by the caller's own rights to files. */
import { resolve } from "node:path";
import type { AppcImageManifest } from "../image/appc-manifest.ts";
import type { ImageRecord } from "../image/record.ts";
import { exportAci, exportOci, extractImage } from "../store/export.ts";
import { beginOperation, type Operation } from "../store/operation.ts";
import { STANDARD_OUTPUT } from "../store/outlet.ts";
import type { PackCompression } from "../store/pack.ts";
import { openStore } from "../store/store.ts";
import { findImage, type ImageManager, imageManifest } from "./images.ts";
import { openWorkers, type Workers } from "./workers.ts";

export { STANDARD_OUTPUT } from "../store/outlet.ts";
export { COMPRESSIONS, type PackCompression } from "../store/pack.ts";

export type Export = {
  readonly image: string;
  readonly path: string;
  readonly overwrite: boolean;
  readonly signal?: AbortSignal | undefined;
};

export type FileExport = Export & {
  readonly format: "aci" | "oci";
  readonly compression: PackCompression;
};

/** Writes an image to a file. Throws as findImage(), FileExists, StoreFull, AccessDenied, Cancelled, SystemdFailed. */
export async function exportImage(manager: ImageManager, request: FileExport): Promise<ImageRecord> {
  return await withImage(manager, request, async (operation, workers, image) => {
    const write = request.format === "aci" ? exportAci : exportOci;
    const { overwrite, compression, signal } = request;
    const path = request.path === STANDARD_OUTPUT ? request.path : resolve(request.path);
    await write(operation, { ...image, path, overwrite, compression }, { tools: workers.tools, signal });
  });
}

export type DirectoryExport = Export & {
  /** Without what its dependencies give it. */
  readonly own: boolean;
  readonly rootfsOnly: boolean;
};

/** Writes an image's files to a directory. Throws as exportImage(). */
export async function extractToDirectory(
  manager: ImageManager,
  request: DirectoryExport,
): Promise<ImageRecord> {
  return await withImage(manager, request, async (operation, workers, image) => {
    const { own, rootfsOnly, overwrite, signal } = request;
    const path = resolve(request.path);
    const { tools, unpacker } = workers;
    await extractImage(
      operation,
      { ...image, path, own, rootfsOnly, overwrite },
      { tools, unpacker, signal },
    );
  });
}

type Image = { readonly record: ImageRecord; readonly manifest: AppcImageManifest };

async function withImage(
  manager: ImageManager,
  { image }: Export,
  work: (operation: Operation, workers: Workers, image: Image) => Promise<void>,
): Promise<ImageRecord> {
  const record = await findImage(manager, image);
  const manifest = standalone(record, await imageManifest(manager, record.id));
  const store = await openStore(manager.paths.data);
  await using workers = openWorkers(manager);
  await using operation = await beginOperation(store);
  await operation.relyOn([record.id]);
  await work(operation, workers, { record, manifest });
  return record;
}

/** What dependencies give and whitelists leave is in the layers by now. */
function standalone(record: ImageRecord, manifest: AppcImageManifest): AppcImageManifest {
  if (record.kind !== "appc") return manifest;
  const { dependencies: _dependencies, pathWhitelist: _pathWhitelist, ...rest } = manifest;
  return rest;
}
