/** The way of an image into the store: every layer unpacked once, then the record. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { exists } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import {
  manifestAnnotations,
  manifestApp,
  manifestLabels,
  manifestName,
  manifestPlatform,
  parseImageManifest,
} from "../image/aci.ts";
import type { Extent } from "../image/archive.ts";
import { fileNameOf } from "../image/digest.ts";
import { digestOf } from "../image/hashing.ts";
import { DOCUMENT_LIMIT } from "../image/layout.ts";
import type { Platform } from "../image/oci.ts";
import type { ImageLayer, ImageRecord, Verdict } from "../image/record.ts";
import type { SourceImage, SourceLayer } from "../image/source.ts";
import { keepBlob } from "./blobs.ts";
import { writeRecord } from "./images.ts";
import { layerFacts, publishLayer } from "./layers.ts";
import type { Operation } from "./operation.ts";
import { layerPath } from "./store.ts";
import { type Unpacker, type UnpackReport, unpack } from "./unpacker.ts";

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
  return await finish(operation, { ...facts, layers, id: fileNameOf(image.digest) }, options);
}

/**
 * Imports an ACI, which has one layer and its manifest inside. `served` is the digest and size of the file as it was
 * given, where `archive` is an unpacked copy of it.
 */
export async function importAci(
  operation: Operation,
  archive: { readonly extent: Extent; readonly served?: { readonly digest: string; readonly size: number } },
  options: ImportOptions & { readonly host: Platform },
): Promise<ImageRecord> {
  const what = quoted(options.source);
  const into = await operation.makeDirectory("aci");
  const report = await unpack(
    options.unpacker,
    {
      verb: "aci",
      operation: operation.id,
      part: "aci",
      into,
      archive: archive.extent,
      signal: options.signal,
    },
    what,
  );
  const text = report.manifest ?? "";
  const facts = aciFacts(text, report, what, options.host);
  await operation.relyOn([fileNameOf(facts.digest), fileNameOf(facts.configDigest)]);
  await publishLayer(operation.store, facts.digest, into);
  await keepBlob(operation, facts.configDigest, Buffer.from(text));
  const served = archive.served ?? {
    digest: `sha256:${report.compressed.sha256}`,
    size: report.compressed.size,
  };
  const layer: ImageLayer = {
    diffId: facts.digest,
    ...served,
    mediaType: "application/aci",
    unpackedSize: report.bytes,
    entries: report.entries,
  };
  return await finish(operation, { ...facts, layers: [layer], id: fileNameOf(facts.digest) }, options);
}

type Facts = Omit<ImageRecord, "version" | "id" | "imported" | "source" | "verdict" | "layers">;

function aciFacts(text: string, report: UnpackReport, what: string, host: Platform): Facts {
  if (text.length > DOCUMENT_LIMIT || report.diff.sha512 === undefined) {
    throw new GantryError("BadImage", `${what} has no image manifest of a size that can be kept`);
  }
  const manifest = parseImageManifest(text, what);
  const annotations = manifestAnnotations(manifest);
  return {
    kind: "appc",
    names: [manifestName(manifest)],
    digest: `sha512:${report.diff.sha512}`,
    configDigest: digestOf(Buffer.from(text)),
    platform: manifestPlatform(manifest, host),
    labels: manifestLabels(manifest),
    annotations,
    app: manifestApp(manifest),
    ...(annotations["created"] === undefined ? {} : { created: annotations["created"] }),
  };
}

async function finish(
  operation: Operation,
  facts: Facts & Pick<ImageRecord, "id" | "layers">,
  { verdict, source }: ImportOptions,
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
