/** An image as it was found, its documents on disk and verified, its layers still packed. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { executionApp } from "./app.ts";
import type { Extent, ImageFiles } from "./archive.ts";
import { verifyChain } from "./chain.ts";
import { digestOf } from "./hashing.ts";
import { locateBlob, readBlob, readDocument } from "./layout.ts";
import {
  type Configuration,
  type Descriptor,
  type Manifest,
  parseConfiguration,
  parseIndex,
  parseJson,
  parseManifest,
} from "./oci.ts";
import type { HostPlatform } from "./platform.ts";
import type { ImageRecord } from "./record.ts";
import { isImage, selectManifest } from "./selection.ts";
import { canonicalName, localName } from "./source-name.ts";

export type SourceLayer = {
  readonly diffId: string;
  /** Digest of the archive as it is; absent when nothing vouches for it but the diff id. */
  readonly digest?: string;
  readonly size: number;
  readonly mediaType: string;
  /** Where the archive is; absent when it has to be fetched. */
  readonly extent?: Extent;
  /** Other places to fetch it from, as the image names them. */
  readonly urls?: readonly string[];
};

/** The part of an image record that the image itself decides, and where its layers are. */
export type SourceImage = Pick<
  ImageRecord,
  | "kind"
  | "names"
  | "digest"
  | "configDigest"
  | "platform"
  | "labels"
  | "annotations"
  | "created"
  | "app"
  | "host"
> & {
  readonly layers: readonly SourceLayer[];
  /** Digests of the indexes that led to the manifest, outermost first; each lists the next. */
  readonly indexes?: readonly string[];
  /** The documents to keep, by digest. */
  readonly documents: ReadonlyMap<string, Buffer>;
};

export type SourceOptions = {
  readonly ref?: string | undefined;
  readonly host: HostPlatform;
  /** Whether the layers are in the layout, too; so it is unless told. */
  readonly layers?: "here" | "elsewhere";
};

const REF_NAME = "org.opencontainers.image.ref.name";
const CONTAINERD_NAME = "io.containerd.image.name";

/**
 * Finds the image of a layout that `ref` (a name of its index, or `@DIGEST`) and the platform select, and verifies
 * its documents. Throws BadImage, DigestMismatch, Unsupported, NoSuchImage, AmbiguousName.
 */
export async function readLayout(files: ImageFiles, options: SourceOptions): Promise<SourceImage> {
  await checkLayoutVersion(files);
  const index = parseIndex(await readDocument(files, "index.json"), `index.json of ${quoted(files.path)}`);
  const entries = selectRef(index.manifests.filter(isImage), options.ref, files.path);
  const { manifest, indexes } = await selectManifest(entries, {
    host: options.host,
    what: quoted(files.path),
    read: (descriptor) => readBlob(files, descriptor, "index"),
  });
  await verifyChain(files, { indexes, manifest }, undefined);
  const found = await readImage(files, manifest, namesOf(entries, files.path));
  const image = { ...found, indexes: indexes.map(({ digest }) => digest) };
  return options.layers === "elsewhere" ? image : { ...image, layers: await locateLayers(files, image) };
}

/** Labels, annotations, platform and app of a configuration, shared by layouts and `docker save`. */
export function configurationFacts(
  configuration: Configuration,
  what: string,
): Pick<SourceImage, "platform" | "labels" | "created" | "app"> {
  const { os, architecture, variant, created, config } = configuration;
  return {
    platform: { os, architecture, ...(variant ? { variant } : {}) },
    labels: { ...config?.Labels },
    app: executionApp(config ?? {}, what),
    ...(created ? { created } : {}),
  };
}

async function checkLayoutVersion(files: ImageFiles): Promise<void> {
  const what = `oci-layout of ${quoted(files.path)}`;
  const document = parseJson(await readDocument(files, "oci-layout"), what);
  const version = (document as { readonly imageLayoutVersion?: unknown } | null)?.imageLayoutVersion;
  if (version === "1.0.0") return;
  throw new GantryError("Unsupported", `${what} has version ${quoted(String(version))}, not "1.0.0"`);
}

function selectRef(
  entries: readonly Descriptor[],
  ref: string | undefined,
  path: string,
): readonly Descriptor[] {
  if (entries.length === 0) throw new GantryError("BadImage", `the index of ${quoted(path)} lists no image`);
  if (ref === undefined) return onlyImage(entries, path);
  const selected = entries.filter((entry) => `@${entry.digest}` === ref || refsOf(entry).includes(ref));
  if (selected.length > 0) return selected;
  const message = `${quoted(path)} holds no image called ${quoted(ref)}`;
  throw new GantryError("NoSuchImage", message, { hint: `it holds ${offered(entries)}` });
}

function onlyImage(entries: readonly Descriptor[], path: string): readonly Descriptor[] {
  const names = new Set(entries.map((entry) => refsOf(entry)[0]));
  // Several entries of one name, or of none but each with its platform, are one image for several machines.
  const one =
    entries.length === 1 || (names.size === 1 && entries.every((entry) => entry.platform !== undefined));
  if (one) return entries;
  const message = `${quoted(path)} holds ${entries.length} images`;
  throw new GantryError("AmbiguousName", message, { hint: `add one of their names: ${offered(entries)}` });
}

function offered(entries: readonly Descriptor[]): string {
  return entries.map((entry) => refsOf(entry)[0] ?? `@${entry.digest}`).join(", ");
}

function refsOf(entry: Descriptor): string[] {
  const annotations = entry.annotations ?? {};
  return [annotations[REF_NAME], annotations[CONTAINERD_NAME]].filter((name) => name !== undefined);
}

function namesOf(entries: readonly Descriptor[], path: string): string[] {
  const refs = [...new Set(entries.flatMap(refsOf))];
  const names = refs.map((ref) => (/[/:]/.test(ref) ? canonicalName(ref) : localName(path, ref)));
  const known = names.filter((name) => name !== undefined);
  // docker save writes both the tag alone and the full name: the full name says it all.
  const full = refs.some((ref) => /[/:]/.test(ref))
    ? known.filter((name) => !name.startsWith("localhost/"))
    : known;
  const unnamed = refs.length === 0 ? localName(path, "latest") : undefined;
  return unnamed === undefined ? full : [unnamed];
}

async function readImage(files: ImageFiles, descriptor: Descriptor, names: string[]): Promise<SourceImage> {
  const manifestBytes = await readBlob(files, descriptor, "manifest");
  const manifest = parseManifest(manifestBytes, `manifest ${descriptor.digest}`, descriptor);
  const configBytes = await readBlob(files, manifest.config, "configuration");
  const what = `configuration ${manifest.config.digest}`;
  const configuration = parseConfiguration(configBytes, what, manifest.layers.length);
  return {
    kind: "oci",
    names,
    // The manifest's identity is its sha256 even where a descriptor uses another algorithm.
    digest: digestOf(manifestBytes),
    configDigest: digestOf(configBytes),
    ...configurationFacts(configuration, what),
    annotations: { ...manifest.annotations },
    layers: layersOf(manifest, configuration),
    documents: new Map([manifestBytes, configBytes].map((bytes) => [digestOf(bytes), bytes])),
  };
}

function layersOf(manifest: Manifest, configuration: Configuration): SourceLayer[] {
  return manifest.layers.map(({ digest, size, mediaType, urls }, at) => ({
    diffId: configuration.rootfs.diff_ids[at] ?? "",
    ...{ digest, size, mediaType },
    ...(urls ? { urls } : {}),
  }));
}

async function locateLayers(files: ImageFiles, { layers }: SourceImage): Promise<SourceLayer[]> {
  const located: SourceLayer[] = [];
  for (const layer of layers) {
    const { digest = layer.diffId, size, mediaType } = layer;
    located.push({ ...layer, extent: await locateBlob(files, { digest, size, mediaType }, "layer") });
  }
  return located;
}
