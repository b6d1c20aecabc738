/** The way of an ACI into the store: unpacked into the inbox, looked at, then kept. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import {
  type ImageManifest,
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
import type { ImageLayer, ImageRecord, Remote, Verdict } from "../image/record.ts";
import { keepBlob, readStoredBlob } from "./blobs.ts";
import { type Facts, finishImport } from "./import.ts";
import { layerFacts, publishLayer } from "./layers.ts";
import type { Operation } from "./operation.ts";
import { renderLayers } from "./render.ts";
import type { Store } from "./store.ts";
import type { Tools } from "./tool.ts";
import { type Unpacker, unpack } from "./unpacker.ts";

export type AciArchive = {
  readonly extent: Extent;
  /** Digest and size of the file as it was given, where `extent` is of an unpacked copy. */
  readonly served?: { readonly digest: string; readonly size: number };
};

/** An ACI in the inbox; the store knows nothing of it yet. */
export type UnpackedAci = {
  /** How errors name it. */
  readonly what: string;
  readonly manifest: ImageManifest;
  readonly text: string;
  /** sha512 of the uncompressed tar. */
  readonly digest: string;
  /** Of the archive as it was served. */
  readonly served: { readonly digest: string; readonly size: number };
  /** Where the tree and its list are; undefined when they are in the store. */
  readonly directory: string | undefined;
  readonly contents: Pick<ImageLayer, "unpackedSize" | "entries">;
};

export type UnpackOptions = {
  readonly unpacker: Unpacker;
  /** How errors name the archive. */
  readonly what: string;
  /** Tells this archive from others of the operation. */
  readonly part: string;
  readonly signal?: AbortSignal | undefined;
};

/** Unpacks an ACI and reads its manifest. Throws BadImage, Unsupported, DigestMismatch, StoreFull, Cancelled, Internal. */
export async function unpackAci(
  operation: Operation,
  { extent, served }: AciArchive,
  { unpacker, what, part, signal }: UnpackOptions,
): Promise<UnpackedAci> {
  const directory = await operation.makeDirectory(part);
  const request = {
    verb: "aci",
    operation: operation.id,
    part,
    into: directory,
    archive: extent,
    signal,
  } as const;
  const report = await unpack(unpacker, request, what);
  const text = report.manifest ?? "";
  if (text.length > DOCUMENT_LIMIT || report.diff.sha512 === undefined) {
    throw new GantryError("BadImage", `${what} has no image manifest of a size that can be kept`);
  }
  return {
    what,
    manifest: parseImageManifest(text, what),
    text,
    digest: `sha512:${report.diff.sha512}`,
    served: served ?? { digest: `sha256:${report.compressed.sha256}`, size: report.compressed.size },
    directory,
    contents: { unpackedSize: report.bytes, entries: report.paths },
  };
}

/** An ACI that is in the store already, as if it had come again. Throws StoreCorrupt, ImageBusy. */
export async function storedAci(store: Store, record: ImageRecord): Promise<UnpackedAci> {
  const what = quoted(record.names[0] ?? record.id);
  const text = (await readStoredBlob(store, record.configDigest)).toString();
  const contents = await layerFacts(store, record.digest);
  const own = record.layers.at(-1);
  if (contents === undefined || own === undefined) {
    throw new GantryError("StoreCorrupt", `layer ${record.digest} of image ${what} is missing`);
  }
  const served = { digest: own.digest, size: own.size };
  const manifest = parseImageManifest(text, what);
  return { what, manifest, text, digest: record.digest, served, directory: undefined, contents };
}

/** What was decided about an unpacked ACI. */
export type Acceptance = {
  readonly verdict: Verdict;
  /** The blobs the verdict rests on, by digest. */
  readonly evidence?: ReadonlyMap<string, Buffer>;
  /** The images its manifest's dependencies mean, in that order. */
  readonly dependencies: readonly ImageRecord[];
  readonly remote?: Remote;
};

export type KeepOptions = {
  readonly unpacker: Unpacker;
  readonly tools: Tools;
  /** The argument that means this image again. */
  readonly source: string;
  readonly host: Platform;
  readonly signal?: AbortSignal | undefined;
};

/** Takes an accepted ACI into the store. Throws BadImage, ImageBusy, StoreFull, Cancelled, Internal. */
export async function keepAci(
  operation: Operation,
  { aci, acceptance }: { readonly aci: UnpackedAci; readonly acceptance: Acceptance },
  options: KeepOptions,
): Promise<ImageRecord> {
  const { verdict, evidence, dependencies, remote } = acceptance;
  const facts = aciFacts(aci, options.host);
  const blobs = new Map([...(evidence ?? []), [facts.configDigest, Buffer.from(aci.text)] as const]);
  await operation.relyOn([facts.digest, ...blobs.keys()].map(fileNameOf));
  await operation.relyOn(dependencies.map(({ id }) => id));
  if (aci.directory !== undefined) await publishLayer(operation.store, facts.digest, aci.directory);
  const own = { diffId: aci.digest, ...aci.served, mediaType: "application/aci", ...aci.contents };
  const whitelist = aci.manifest.pathWhitelist ?? [];
  const layers = await renderLayers(operation, { what: aci.what, own, whitelist, dependencies }, options);
  for (const [digest, bytes] of blobs) await keepBlob(operation, digest, bytes);
  const ids = [...new Set(dependencies.flatMap(({ id, dependencies: further }) => [...(further ?? []), id]))];
  const record = {
    ...facts,
    layers,
    id: fileNameOf(facts.digest),
    ...(ids.length === 0 ? {} : { dependencies: ids }),
    ...(remote === undefined ? {} : { remote }),
  };
  return await finishImport(operation, record, { verdict, source: options.source });
}

function aciFacts({ manifest, text, digest }: UnpackedAci, host: Platform): Facts {
  const annotations = manifestAnnotations(manifest);
  return {
    kind: "appc",
    names: [manifestName(manifest)],
    digest,
    configDigest: digestOf(Buffer.from(text)),
    platform: manifestPlatform(manifest, host),
    labels: manifestLabels(manifest),
    annotations,
    app: manifestApp(manifest),
    ...(annotations["created"] === undefined ? {} : { created: annotations["created"] }),
  };
}
