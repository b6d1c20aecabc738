/** What a signature of an image's manifest is over: simple signing's document, in containers/image's and in cosign's dialect. */

export type SignedImage = {
  /** Of the manifest. */
  readonly digest: string;
  /** The name the signature is for. */
  readonly reference: string;
};

export const COSIGN_PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";
export const COSIGN_ANNOTATION = "dev.cosignproject.cosign/signature";

/** The tag under which cosign looks for the signatures of a digest. */
export function cosignTag(digest: string): string {
  return `${digest.replace(":", "-")}.sig`;
}

export function cosignPayload({ digest, reference }: SignedImage): Buffer {
  return payload({ digest, reference }, { type: "cosign container image signature", optional: null });
}

/** `time` in seconds. */
export function simpleSigningPayload(
  image: SignedImage,
  { creator, time }: { creator: string; time: number },
): Buffer {
  return payload(image, { type: "atomic container signature", optional: { creator, timestamp: time } });
}

function payload(
  { digest, reference }: SignedImage,
  { type, optional }: { type: string; optional: unknown },
): Buffer {
  const critical = {
    identity: { "docker-reference": reference },
    image: { "docker-manifest-digest": digest },
    type,
  };
  return Buffer.from(JSON.stringify({ critical, optional }));
}
