/** The way of an image into the store: every layer unpacked once, from a file or while it is fetched, then the record. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { exists } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import type { Extent } from "../image/archive.ts";
import { fileNameOf } from "../image/digest.ts";
import type { ImageLayer, ImageRecord, Verdict } from "../image/record.ts";
import type { SourceImage, SourceLayer } from "../image/source.ts";
import { keepBlob, replaceBlobs } from "./blobs.ts";
import { claimChanged, claimLayer } from "./claims.ts";
import { layerFacts, publishLayer } from "./layers.ts";
import type { Operation } from "./operation.ts";
import type { LayerTask, Progress } from "./progress.ts";
import { writeRecord } from "./recording.ts";
import { layerPath } from "./store.ts";
import { type Pipe, type Unpacker, unpack } from "./unpacker.ts";

/** A layer's archive on its way: a FIFO to be read to its length. Disposed of when the layer is done or failed. */
export type LayerStream = AsyncDisposable &
  Pick<Pipe, "pipe"> & {
    /** Who reads it already, and into which directory; otherwise an unpacker is started. */
    readonly reader?: { readonly unpacker: Unpacker; readonly into: string } | undefined;
  };

export type ImportOptions = {
  readonly unpacker: Unpacker;
  readonly verdict: Verdict;
  /** Of each of several names its own. */
  readonly verdicts?: ReadonlyMap<string, Verdict> | undefined;
  /** The argument that means this image again. */
  readonly source: string;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((progress: Progress) => void) | undefined;
  /** What the verdict rests on, by digest: kept with the image's own documents. */
  readonly evidence?: ReadonlyMap<string, Buffer> | undefined;
  /** The record of an image that has lost layers or documents: they are brought back, and it stays as it is. */
  readonly repairs?: ImageRecord | undefined;
  /** Has a layer fetched that is not on this machine. */
  readonly fetchLayer?: ((layer: SourceLayer) => Promise<LayerStream>) | undefined;
  /** Milliseconds for which another one's fetch of a layer is waited for; unless given, by the layer's size. */
  readonly patience?: number | undefined;
  /** Called when no layer is wanted any more. */
  readonly layersDone?: (() => void) | undefined;
};

// Decompression is bound by the processor, and most hosts that start services have little of it to spare.
const PARALLEL = 2;

/** How long a layer of so many bytes is waited for: a server may be as slow as it likes, and another one quick. */
const patienceFor = (size: number) => 30_000 + size / 250;

/** Imports an image whose documents were verified. Throws BadImage, DigestMismatch, StoreFull, Cancelled, Internal. */
export async function importImage(
  operation: Operation,
  image: SourceImage,
  options: ImportOptions,
): Promise<ImageRecord> {
  const { documents, indexes: _, ...facts } = image;
  const blobs = [...documents, ...(options.evidence ?? [])];
  await operation.relyOn([
    ...image.layers.map(({ diffId }) => fileNameOf(diffId)),
    ...blobs.map(([digest]) => fileNameOf(digest)),
  ]);
  const layers = await importLayers(operation, image.layers, options);
  options.layersDone?.();
  if (options.repairs !== undefined) {
    await replaceBlobs(operation, new Map(blobs));
    return options.repairs;
  }
  for (const [digest, bytes] of blobs) await keepBlob(operation, digest, bytes);
  return await finishImport(operation, { ...facts, layers, id: fileNameOf(image.digest) }, options);
}

/** What an image says of itself. */
export type Facts = Omit<
  ImageRecord,
  "version" | "id" | "imported" | "source" | "verdict" | "verdicts" | "layers"
>;

/** Writes the record of an image whose layers are here. Throws ImageBusy, StoreFull. */
export async function finishImport(
  operation: Operation,
  facts: Facts & Pick<ImageRecord, "id" | "layers">,
  { verdict, verdicts, source }: Pick<ImportOptions, "verdict" | "verdicts" | "source">,
): Promise<ImageRecord> {
  for (const { diffId } of facts.layers) {
    if (await exists(layerPath(operation.store, diffId))) continue;
    throw new GantryError("ImageBusy", `layer ${diffId} was removed during the import`, {
      hint: "try again",
    });
  }
  const imported = Date.now() * 1000;
  const judged = facts.names.map((name) => ({ name, verdict: verdicts?.get(name) ?? verdict }));
  return await writeRecord(operation, { version: 1, ...facts, imported, source, verdict, verdicts: judged });
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
  options.progress?.({ event: "layers", layers: layers.map((layer) => taskOf(layer)) });
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, layer] = next;
      results[at] = await importLayer(operation, { layer, at }, { ...options, signal });
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

function taskOf({ digest, diffId, size }: SourceLayer): LayerTask {
  return { layer: digest ?? diffId, size };
}

type Position = { readonly layer: SourceLayer; readonly at: number };

async function importLayer(
  operation: Operation,
  { layer, at }: Position,
  options: ImportOptions,
): Promise<ImageLayer> {
  const { layer: name } = taskOf(layer);
  const tell = (state: "done" | "present") => options.progress?.({ event: "layer", layer: name, state });
  const here = await layerHere(operation, layer);
  if (here !== undefined) {
    tell("present");
    return here;
  }
  const { how, imported } =
    layer.extent === undefined
      ? await fetchOnce(operation, { layer, at }, options)
      : {
          how: "done" as const,
          imported: await unpackLayer(operation, { layer, at }, layer.extent, options),
        };
  tell(how);
  return imported;
}

async function layerHere(operation: Operation, layer: SourceLayer): Promise<ImageLayer | undefined> {
  const { diffId, digest, size, mediaType } = layer;
  const here = await layerFacts(operation.store, diffId);
  return here === undefined || digest === undefined
    ? undefined
    : { diffId, digest, size, mediaType, ...here };
}

type Outcome = { readonly how: "done" | "present"; readonly imported: ImageLayer };

/**
 * Fetches a layer, or waits for whoever does already, though not for ever: another operation, or this one for a layer
 * that is in the image twice.
 */
async function fetchOnce(
  operation: Operation,
  { layer, at }: Position,
  options: ImportOptions,
): Promise<Outcome> {
  const log = (text: string) => options.progress?.({ event: "log", text });
  const until = performance.now() + (options.patience ?? patienceFor(layer.size));
  for (let waited = false; ; waited = true) {
    const claim = await claimLayer(operation, layer.diffId);
    // What its claimant has published is there before the claim goes.
    const here = await layerHere(operation, layer);
    if (here !== undefined) {
      await claim?.[Symbol.asyncDispose]();
      return { how: "present", imported: here };
    }
    const impatient = claim === undefined && waited && performance.now() >= until;
    if (impatient) log(`${layer.digest} is fetched a second time: the other fetch of it is slow`);
    if (claim !== undefined || impatient) {
      await using _claim = claim;
      return { how: "done", imported: await fetchLayer(operation, { layer, at }, options) };
    }
    if (!waited) log(`${layer.digest} is being fetched already`);
    await claimChanged(operation.store, options.signal);
    if (options.signal?.aborted) throw new GantryError("Cancelled", "the import was cancelled");
  }
}

async function fetchLayer(
  operation: Operation,
  { layer, at }: Position,
  options: ImportOptions,
): Promise<ImageLayer> {
  if (options.fetchLayer === undefined)
    throw new GantryError("Internal", `nobody can fetch layer ${layer.digest}`);
  await using stream = await options.fetchLayer(layer);
  const archive = { pipe: stream.pipe, size: layer.size };
  return await unpackLayer(operation, { layer, at }, archive, { ...options, ...stream.reader });
}

async function unpackLayer(
  operation: Operation,
  { layer, at }: Position,
  archive: Extent | Pipe,
  options: ImportOptions & { readonly into?: string },
): Promise<ImageLayer> {
  const { unpacker, signal } = options;
  const { diffId, digest, size, mediaType } = layer;
  const part = `layer-${at}`;
  const into = options.into ?? (await operation.makeDirectory(part));
  const request = {
    verb: "layer",
    operation: operation.id,
    part,
    into,
    archive,
    digest,
    diffId,
    signal,
  } as const;
  const report = await unpack(unpacker, request, `layer ${digest ?? diffId}`);
  await publishLayer(operation.store, diffId, into);
  const served = digest ?? `sha256:${report.compressed.sha256}`;
  return { diffId, digest: served, size, mediaType, unpackedSize: report.bytes, entries: report.paths };
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
