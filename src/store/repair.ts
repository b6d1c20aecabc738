/**
 * Repair of an image: layers and documents that differ are taken from where the image came from, checked by their digests,
 * and put in the place of what is there. No pod may use a layer meanwhile.
 */
import { rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { fileNameOf } from "../image/digest.ts";
import type { HostPlatform } from "../image/platform.ts";
import type { ImageLayer, ImageRecord } from "../image/record.ts";
import type { FileReference } from "../image/reference.ts";
import type { SourceImage } from "../image/source.ts";
import { replaceBlobs } from "./blobs.ts";
import { setAsideName } from "./gc.ts";
import { publishLayer } from "./layers.ts";
import type { Operation } from "./operation.ts";
import { amendRecord } from "./recording.ts";
import { findSource } from "./source.ts";
import { layerListPath, layerPath } from "./store.ts";
import { removeTree } from "./tree.ts";
import { type Unpacker, unpack } from "./unpacker.ts";
import { podsUsingLayer } from "./uses.ts";
import type { ImageCheck, LayerCheck } from "./verify.ts";

export type RepairOptions = {
  readonly unpacker: Unpacker;
  readonly host: HostPlatform;
  readonly signal?: AbortSignal | undefined;
};

/** Throws ImageBusy when a pod uses one of these layers. */
export async function requireUnused(operation: Operation, layers: readonly string[]): Promise<void> {
  for (const layer of layers) {
    const [pod] = await podsUsingLayer(operation.store, layer);
    if (pod === undefined) continue;
    throw new GantryError("ImageBusy", `layer ${layer} is used by pod ${pod}`, {
      hint: `gantry rm ${pod} removes the pod; the layer can be repaired then`,
    });
  }
}

/** The layers of a check that differ. */
export function damagedLayers({ layers }: Pick<ImageCheck, "layers">): string[] {
  return layers.filter(({ differences }) => differences > 0).map(({ layer }) => layer);
}

/**
 * Repairs an image from the file or directory it came from. Throws ImageBusy, NoSuchImage when that is gone, DigestMismatch
 * when it holds something else by now, StoreFull, Cancelled, Internal.
 */
export async function repairFromFile(
  operation: Operation,
  {
    record,
    check,
    reference,
  }: { readonly record: ImageRecord; readonly check: ImageCheck; readonly reference: FileReference },
  options: RepairOptions,
): Promise<void> {
  const damaged = damagedLayers(check);
  await requireUnused(operation, damaged);
  await operation.relyOn([...damaged, record.configDigest, record.digest].map(fileNameOf));
  const found = await findSource(operation, reference, options);
  if (found.kind !== "image") throw changed(record);
  await repairImage(operation, { record, check, source: found.image }, options);
}

type FromImage = { readonly record: ImageRecord; readonly check: ImageCheck; readonly source: SourceImage };

async function repairImage(
  operation: Operation,
  { record, check, source }: FromImage,
  options: RepairOptions,
) {
  if (source.digest !== record.digest) throw changed(record);
  for (const [at, diffId] of damagedLayers(check).entries()) {
    const layer = source.layers.find((one) => one.diffId === diffId);
    if (layer?.extent === undefined) throw changed(record);
    const into = await operation.makeDirectory(`repair-${at}`);
    const request = { verb: "layer", operation: operation.id, part: `repair-${at}`, into } as const;
    const promised = { archive: layer.extent, digest: layer.digest, diffId, signal: options.signal };
    await unpack(options.unpacker, { ...request, ...promised }, `layer ${diffId}`);
    await replaceLayer(operation, diffId, () => publishLayer(operation.store, diffId, into));
  }
  await replaceBlobs(operation, source.documents);
}

/** What a repair says of a source that has something else by now. */
export function changed(record: ImageRecord): GantryError {
  return new GantryError(
    "DigestMismatch",
    `${quoted(record.source)} holds another image than ${record.id} by now`,
    {
      hint: "gantry image rm it, and fetch it again",
    },
  );
}

/**
 * Has a layer made anew in the place of one that is set aside. A power cut in between leaves the old one, which garbage
 * collection puts back.
 */
export async function replaceLayer(
  operation: Operation,
  diffId: string,
  make: () => Promise<unknown>,
): Promise<void> {
  const restore = await setAsideLayer(operation, diffId);
  try {
    await make();
  } catch (error) {
    await restore();
    throw error;
  }
  await removeAside(operation, diffId);
}

/** Takes a layer out of its place; what is returned puts it back. */
export async function setAsideLayer(operation: Operation, diffId: string): Promise<() => Promise<void>> {
  // The list first: a layer is whole only with both.
  const paths = [layerListPath(operation.store, diffId), layerPath(operation.store, diffId)];
  for (const path of paths) await unlessMissing(rename(path, aside(operation, path)));
  return async () => {
    for (const path of paths.reverse()) await unlessMissing(rename(aside(operation, path), path));
  };
}

/** Removes what setAsideLayer() took away. */
export async function removeAside(operation: Operation, diffId: string): Promise<void> {
  const paths = [layerListPath(operation.store, diffId), layerPath(operation.store, diffId)];
  for (const path of paths) await removeTree(aside(operation, path));
}

function aside(operation: Operation, path: string): string {
  return join(dirname(path), setAsideName(operation.id, path));
}

/** Writes down the true sizes of layers that are whole. Throws NoSuchImage when the image was removed meanwhile. */
export async function repairSizes(
  operation: Operation,
  id: string,
  checks: readonly LayerCheck[],
): Promise<void> {
  await amendRecord(operation, id, (record) => ({
    ...record,
    layers: record.layers.map((layer): ImageLayer => {
      const check = checks.find((one) => one.layer === layer.diffId);
      if (check === undefined || check.differences > 0) return layer;
      return { ...layer, unpackedSize: check.bytes, entries: check.paths };
    }),
  }));
}
