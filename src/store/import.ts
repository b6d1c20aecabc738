/** The way of an image into the store: every layer unpacked once, then the record. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { exists } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { fileNameOf } from "../image/digest.ts";
import type { ImageLayer, ImageRecord, Verdict } from "../image/record.ts";
import type { SourceImage, SourceLayer } from "../image/source.ts";
import { keepBlob } from "./blobs.ts";
import { writeRecord } from "./images.ts";
import { layerFacts, publishLayer } from "./layers.ts";
import type { Operation } from "./operation.ts";
import { layerPath } from "./store.ts";
import { type Unpacker, unpack } from "./unpacker.ts";

export type Progress = {
  /** Bytes of packed layers that are done, and of all. */
  readonly done: number;
  readonly total: number;
  /** The layer that was finished last. */
  readonly layer: string;
};

export type ImportOptions = {
  readonly unpacker: Unpacker;
  readonly verdict: Verdict;
  /** The argument that means this image again. */
  readonly source: string;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((progress: Progress) => void) | undefined;
};

// Decompression is bound by the processor, and most hosts that start services have little of it to spare.
const PARALLEL = 2;

/** Imports an image whose documents were verified. Throws BadImage, DigestMismatch, StoreFull, Cancelled, Internal. */
export async function importImage(
  operation: Operation,
  image: SourceImage,
  options: ImportOptions,
): Promise<ImageRecord> {
  await operation.relyOn([
    ...image.layers.map(({ diffId }) => fileNameOf(diffId)),
    ...[...image.documents.keys()].map(fileNameOf),
  ]);
  const layers = await importLayers(operation, image.layers, options);
  for (const [digest, bytes] of image.documents) await keepBlob(operation, digest, bytes);
  const { documents: _documents, ...facts } = image;
  return await finishImport(operation, { ...facts, layers, id: fileNameOf(image.digest) }, options);
}

/** What an image says of itself. */
export type Facts = Omit<ImageRecord, "version" | "id" | "imported" | "source" | "verdict" | "layers">;

/** Writes the record of an image whose layers are here. Throws ImageBusy, StoreFull. */
export async function finishImport(
  operation: Operation,
  facts: Facts & Pick<ImageRecord, "id" | "layers">,
  { verdict, source }: Pick<ImportOptions, "verdict" | "source">,
): Promise<ImageRecord> {
  for (const { diffId } of facts.layers) {
    if (await exists(layerPath(operation.store, diffId))) continue;
    throw new GantryError("ImageBusy", `layer ${diffId} was removed during the import`, {
      hint: "try again",
    });
  }
  const imported = Date.now() * 1000;
  return await writeRecord(operation, { version: 1, ...facts, imported, source, verdict });
}

async function importLayers(
  operation: Operation,
  layers: readonly SourceLayer[],
  options: ImportOptions,
): Promise<ImageLayer[]> {
  const results: ImageLayer[] = [];
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const waiting = [...layers.entries()];
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, layer] = next;
      results[at] = await importLayer(operation, { layer, at }, { ...options, signal });
      done += layer.size;
      options.progress?.({ done, total, layer: layer.diffId });
    }
  };
  await allOrNone(Array.from({ length: PARALLEL }, work), stop);
  return results;
}

/** Waits for all; the first failure stops the others, and is thrown once they have ended. */
async function allOrNone(work: readonly Promise<void>[], stop: AbortController): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  const guarded = work.map((promise) =>
    promise.catch((error: unknown) => {
      failure ??= { error };
      stop.abort();
    }),
  );
  await Promise.all(guarded);
  if (failure !== undefined) throw failure.error;
}

async function importLayer(
  operation: Operation,
  { layer, at }: { layer: SourceLayer; at: number },
  { unpacker, signal }: ImportOptions,
): Promise<ImageLayer> {
  const { diffId, digest, size, mediaType, extent } = layer;
  const here = await layerFacts(operation.store, diffId);
  if (here !== undefined && digest !== undefined) return { diffId, digest, size, mediaType, ...here };
  const into = await operation.makeDirectory(`layer-${at}`);
  const request = {
    verb: "layer",
    operation: operation.id,
    part: `layer-${at}`,
    into,
    archive: extent,
    digest,
    diffId,
    signal,
  } as const;
  const report = await unpack(unpacker, request, `layer ${digest ?? diffId}`);
  await publishLayer(operation.store, diffId, into);
  const served = digest ?? `sha256:${report.compressed.sha256}`;
  return { diffId, digest: served, size, mediaType, unpackedSize: report.bytes, entries: report.entries };
}

/** Unpacks a compressed archive of an image into the inbox; returns where its tar lies and what it was. */
export async function decompressArchive(
  operation: Operation,
  path: string,
  options: Pick<ImportOptions, "unpacker" | "signal">,
): Promise<{ readonly path: string; readonly served: { readonly digest: string; readonly size: number } }> {
  const into = await operation.makeDirectory("archive");
  const archive = { path, offset: 0, length: (await stat(path)).size };
  const request = {
    verb: "decompress",
    operation: operation.id,
    part: "archive",
    into,
    archive,
    signal: options.signal,
  } as const;
  const { compressed } = await unpack(options.unpacker, request, quoted(path));
  return {
    path: join(into, "data"),
    served: { digest: `sha256:${compressed.sha256}`, size: compressed.size },
  };
}
