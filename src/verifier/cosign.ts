/** cosign with a key: a payload that names the digest of the manifest or of an index, and a bare signature over its bytes. */
import { verify } from "node:crypto";
import { type BareKey, bareProblem } from "./keys.ts";
import { type Payload, readPayload } from "./payload.ts";
import { sentence } from "./sentence.ts";

const TYPE = "cosign container image signature";

/** The payload, read once a key has vouched for it. Throws an Error. */
export function readCosign(content: Buffer, digests: readonly string[]): Payload {
  return readPayload(content, { type: TYPE, digests });
}

/** Whether `key` made `signature` over `content`; a sentence when it did and does not count. */
export function vouches({ key, fingerprint }: BareKey, content: Buffer, signature: Buffer): boolean | string {
  try {
    const algorithm = key.asymmetricKeyType === "ed25519" ? null : "sha256";
    if (!verify(algorithm, content, key, signature)) return false;
  } catch (error) {
    return sentence(error);
  }
  const problem = bareProblem(key);
  return problem === undefined ? true : `key ${fingerprint}: ${problem}`;
}
