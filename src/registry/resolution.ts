/** From a name to one image: its manifest, what led to it, and its configuration, each verified by its digest. */
import { quoted } from "../base/text.ts";
import { digestOf } from "../image/hashing.ts";
import { DOCUMENT_LIMIT } from "../image/layout.ts";
import {
  type Descriptor,
  documentKind,
  parseConfiguration,
  parseIndex,
  parseManifest,
} from "../image/oci.ts";
import type { HostPlatform } from "../image/platform.ts";
import { type Repository, repositoryText } from "../image/repository.ts";
import { isImage, selectManifest } from "../image/selection.ts";
import type { Endpoint } from "./endpoint.ts";
import { type Found, getBlob, getDescribed, getDigest, getTag } from "./manifest.ts";
import type { Sources } from "./sources.ts";

export type Resolution = {
  readonly manifest: Descriptor;
  /** The indexes that led to the manifest, outermost first. */
  readonly indexes: readonly Descriptor[];
  /** The bytes of manifest, indexes and configuration by digest. */
  readonly documents: ReadonlyMap<string, Buffer>;
  /** Who said what the name is. */
  readonly endpoint: Endpoint;
};

/**
 * Resolves a name for a machine. Only the first request is by tag: whatever the tag does meanwhile, the rest belongs to
 * what it was then. Throws NoSuchImage, AccessDenied, FetchFailed, TimedOut, BadImage, DigestMismatch, Unsupported.
 */
export async function resolveImage(
  sources: Sources,
  reference: Repository,
  host: HostPlatform,
): Promise<Resolution> {
  const what = `image ${quoted(repositoryText(reference))}`;
  const { found, endpoint } = await resolveName(sources, reference, what);
  const documents = new Map([[found.descriptor.digest, found.bytes]]);
  const read = async (descriptor: Descriptor, kind: string) => {
    const known = documents.get(descriptor.digest);
    if (known !== undefined) return known;
    const bytes = await sources.first("pull", (one) => getDescribed(one, descriptor, kind));
    documents.set(descriptor.digest, bytes);
    return bytes;
  };
  const { manifest, indexes } = await select(found, { what, host, read: (index) => read(index, "index") });
  const bytes = await read(manifest, "manifest");
  const configuration = await getConfiguration(sources, manifest, bytes);
  documents.set(configuration.descriptor.digest, configuration.bytes);
  return { manifest, indexes, documents, endpoint };
}

async function resolveName(
  sources: Sources,
  reference: Repository,
  what: string,
): Promise<{ readonly found: Found; readonly endpoint: Endpoint }> {
  const { digest, tag = "latest" } = reference;
  if (digest !== undefined) {
    return await sources.first("pull", async (endpoint) => ({
      found: await getDigest(endpoint, digest, what),
      endpoint,
    }));
  }
  return await sources.first("resolve", async (endpoint) => ({
    found: await getTag(endpoint, tag, what),
    endpoint,
  }));
}

async function select(
  { descriptor, bytes }: Found,
  options: {
    readonly what: string;
    readonly host: HostPlatform;
    readonly read: (index: Descriptor) => Promise<Buffer>;
  },
): Promise<{ readonly manifest: Descriptor; readonly indexes: readonly Descriptor[] }> {
  if (documentKind(descriptor) === "manifest") return { manifest: descriptor, indexes: [] };
  const entries = parseIndex(bytes, `index ${descriptor.digest}`, descriptor).manifests.filter(isImage);
  const { manifest, indexes } = await selectManifest(entries, options);
  return { manifest, indexes: [descriptor, ...indexes] };
}

/** The configuration, read as the image will be: a manifest that no image can be made of asks for no layer. */
async function getConfiguration(sources: Sources, manifest: Descriptor, bytes: Buffer): Promise<Found> {
  const { config, layers } = parseManifest(bytes, `manifest ${manifest.digest}`, manifest);
  const limits = { what: "configuration", limit: DOCUMENT_LIMIT };
  const configuration = await sources.first("pull", (one) => getBlob(one, config, limits));
  parseConfiguration(configuration, `configuration ${digestOf(configuration)}`, layers.length);
  return { descriptor: config, bytes: configuration };
}
