/** Manifests and indexes by tag and by digest, and blobs that are documents: nothing is believed but its digest. */
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { parseDigest } from "../image/digest.ts";
import { checkDigest, digestOf } from "../image/hashing.ts";
import { DOCUMENT_LIMIT } from "../image/layout.ts";
import { type Descriptor, MEDIA_TYPES, parseJson } from "../image/oci.ts";
import type { Document } from "../transfer/document.ts";
import { shownUrl } from "../transfer/failure.ts";
import type { Endpoint } from "./endpoint.ts";

export type Found = { readonly descriptor: Descriptor; readonly bytes: Buffer };

/** Both families, each with index and manifest: a registry converts nothing, and says 404 to what isn't in the list. */
const ACCEPT = [...MEDIA_TYPES.index, ...MEDIA_TYPES.manifest].join(", ");

/** The manifest or index that a tag is now. Throws NoSuchImage, AccessDenied, FetchFailed, BadImage, DigestMismatch. */
export async function getTag(endpoint: Endpoint, tag: string, what: string): Promise<Found> {
  const document = await getManifestDocument(endpoint, tag, what);
  const { bytes, headers, url } = document;
  const told = headers["docker-content-digest"];
  // It is not needed, but a registry that contradicts itself is not to be believed (distribution specification).
  if (typeof told === "string") checkDigest(bytes, told, `${what} from ${shownUrl(url)}`);
  return { descriptor: describe(document, digestOf(bytes)), bytes };
}

/** A manifest or index by digest alone, as a reference names it. */
export async function getDigest(endpoint: Endpoint, digest: string, what: string): Promise<Found> {
  const document = await getManifestDocument(endpoint, digest, what);
  checkDigest(document.bytes, digest, what);
  return { descriptor: describe(document, digest), bytes: document.bytes };
}

/** A manifest or index that a verified document describes. */
export async function getDescribed(
  endpoint: Endpoint,
  descriptor: Descriptor,
  what: string,
): Promise<Buffer> {
  refuseLarge(descriptor, DOCUMENT_LIMIT, what);
  // It becomes a path: a tag or something worse must not be asked for instead.
  parseDigest(descriptor.digest);
  const { bytes } = await getManifestDocument(endpoint, descriptor.digest, `${what} ${descriptor.digest}`);
  checkContent(bytes, descriptor, what);
  return bytes;
}

/** A blob of at most `limit` bytes that a verified document describes. */
export async function getBlob(
  endpoint: Endpoint,
  descriptor: Descriptor,
  { what, limit }: { readonly what: string; readonly limit: number },
): Promise<Buffer> {
  refuseLarge(descriptor, limit, what);
  parseDigest(descriptor.digest);
  const document = await endpoint.document(`blobs/${descriptor.digest}`, { limit });
  if (document.status !== 200) throw endpoint.refusal(document, `${what} ${descriptor.digest}`);
  checkContent(document.bytes, descriptor, what);
  return document.bytes;
}

async function getManifestDocument(endpoint: Endpoint, name: string, what: string): Promise<Document> {
  const request = { limit: DOCUMENT_LIMIT, accept: ACCEPT };
  const document = await endpoint.document(`manifests/${name}`, request);
  if (document.status !== 200) throw endpoint.refusal(document, what);
  return document;
}

function refuseLarge({ digest, size }: Descriptor, limit: number, what: string): void {
  if (size <= limit) return;
  throw new GantryError("BadImage", `${what} ${digest} has ${size} bytes, the limit is ${limit}`);
}

function checkContent(bytes: Buffer, { digest, size }: Descriptor, what: string): void {
  if (bytes.length !== size) {
    const sizes = `should have ${size} bytes but has ${bytes.length}`;
    throw new GantryError("DigestMismatch", `${what} ${digest} ${sizes}`);
  }
  checkDigest(bytes, digest, what);
}

const Typed = z.object({ mediaType: z.string().optional(), manifests: z.unknown().optional() });

/** A descriptor of what no descriptor led to: the header tells the type, or the document itself where that is no type. */
function describe({ bytes, headers, url }: Document, digest: string): Descriptor {
  const what = `the manifest from ${shownUrl(url)}`;
  const header = headers["content-type"]?.split(";")[0]?.trim() ?? "";
  const known = MEDIA_TYPES.index.has(header) || MEDIA_TYPES.manifest.has(header);
  const mediaType = known || /^application\/vnd\./.test(header) ? header : typeWithin(bytes, what);
  return { mediaType, digest, size: bytes.length };
}

function typeWithin(bytes: Buffer, what: string): string {
  const { success, data } = Typed.safeParse(parseJson(bytes, what));
  if (!success)
    throw new GantryError("BadImage", `${what} is ${quoted(bytes.toString("latin1"), 40)}, no manifest`);
  const [index = "", manifest = ""] = [[...MEDIA_TYPES.index][0], [...MEDIA_TYPES.manifest][0]];
  return data.mediaType ?? (data.manifests === undefined ? manifest : index);
}
