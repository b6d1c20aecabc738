/**
 * Signatures as they come with an image: of which scheme, and which blobs hold them (docs/trust.md). Nothing here says
 * that they are good.
 */
import * as z from "zod";
import { DigestText } from "./digest-text.ts";

export const Signature = z.discriminatedUnion("kind", [
  /** appc: detached OpenPGP over the ACI as it was served. */
  z.strictObject({ kind: z.literal("openpgp"), signature: DigestText }),
  /** containers/image: an OpenPGP message that holds the payload it signs. */
  z.strictObject({ kind: z.literal("simple-signing"), signature: DigestText }),
  /** cosign's first layout: a payload, and the signature that stood beside it in the signature manifest, base64. */
  z.strictObject({
    kind: z.literal("cosign"),
    payload: DigestText,
    signature: z.base64().min(1).max(16_384),
  }),
  z.strictObject({ kind: z.literal("sigstore-bundle"), bundle: DigestText }),
]);
export type Signature = z.infer<typeof Signature>;

/** Signatures of one image beyond these are not looked at. */
export const SIGNATURES_LIMIT = 32;
/** Bytes of one signature, and of a cosign payload or a bundle. */
export const SIGNATURE_LIMIT = 64 * 1024;
export const PAYLOAD_LIMIT = 4 * 1024 * 1024;

/** The blob that holds it, and how large that may be. */
export function signatureBlob(signature: Signature): { readonly digest: string; readonly limit: number } {
  switch (signature.kind) {
    case "openpgp":
    case "simple-signing":
      return { digest: signature.signature, limit: SIGNATURE_LIMIT };
    case "cosign":
      return { digest: signature.payload, limit: PAYLOAD_LIMIT };
    case "sigstore-bundle":
      return { digest: signature.bundle, limit: PAYLOAD_LIMIT };
  }
}
