/** What looking for signatures needs, and the two ways in which they lie in a repository. */
import * as z from "zod";
import { checkDigest } from "../image/hashing.ts";
import { DOCUMENT_LIMIT } from "../image/layout.ts";
import { checked, Descriptor, parseJson } from "../image/oci.ts";
import { PAYLOAD_LIMIT, type Signature } from "../image/signature.ts";
import type { Access } from "../inbox/protocol.ts";
import type { Client } from "../transfer/client.ts";
import type { Endpoint } from "./endpoint.ts";
import { getBlob } from "./manifest.ts";
import type { Sources } from "./sources.ts";

/** Writes a blob down under its digest. */
export type Keep = (digest: string, bytes: Buffer) => Promise<void>;

export type Search = {
  readonly client: Client;
  readonly sources: Sources;
  readonly repository: string;
  /** How servers other than the registry are spoken to; without credentials. */
  readonly access: Access;
  /** Names the image in messages. */
  readonly what: string;
  readonly keep: Keep;
  readonly log: (text: string) => void;
};

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

const SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";
/** The version is part of the type; what the verifier makes of another one is its matter. */
const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle(\.v\d+(\.\d+)*)?\+json/;
const SIGNATURE_ANNOTATIONS = ["dev.cosignproject.cosign/signature", "dev.sigstore.cosign/signature"];

/** A manifest of signatures: unlike an image's, its configuration says nothing. */
const SignatureManifest = z.object({
  schemaVersion: z.literal(2),
  artifactType: z.string().optional(),
  layers: z.array(Descriptor).max(1000),
  subject: Descriptor.optional(),
});
export type SignatureManifest = z.infer<typeof SignatureManifest>;

/** A manifest or index in the repository that may be missing, verified if its digest is known. */
export async function findDocument(
  endpoint: Endpoint,
  name: string,
  options: { readonly what: string; readonly accept: string },
): Promise<Buffer | undefined> {
  const place = `manifests/${name}`;
  const document = await endpoint.document(place, { limit: DOCUMENT_LIMIT, accept: options.accept });
  if (document.status === 404) return undefined;
  if (document.status !== 200) throw endpoint.refusal(document, options.what);
  if (name.includes(":")) checkDigest(document.bytes, name, options.what);
  return document.bytes;
}

export function parseSignatureManifest(bytes: Buffer, what: string): SignatureManifest {
  return checked(SignatureManifest, parseJson(bytes, what), what);
}

/** Each layer of a manifest of signatures that is one, its blob kept. */
export async function* signaturesWithin(
  search: Search,
  endpoint: Endpoint,
  manifest: SignatureManifest,
): AsyncGenerator<Signature> {
  for (const layer of manifest.layers) {
    const bundle = BUNDLE.test(layer.mediaType);
    const signature = SIGNATURE_ANNOTATIONS.map((name) => layer.annotations?.[name]).find(isBase64);
    if (!bundle && (layer.mediaType !== SIMPLE_SIGNING || signature === undefined)) continue;
    const limits = { what: bundle ? "sigstore bundle" : "signature payload", limit: PAYLOAD_LIMIT };
    const { digest } = layer;
    await search.keep(digest, await getBlob(endpoint, layer, limits));
    if (bundle) yield { kind: "sigstore-bundle", bundle: digest };
    else if (signature !== undefined) yield { kind: "cosign", payload: digest, signature };
  }
}

function isBase64(text: string | undefined): text is string {
  return (
    text !== undefined &&
    text.length <= 16_384 &&
    /^[A-Za-z0-9+/]+={0,2}$/.test(text) &&
    text.length % 4 === 0
  );
}
