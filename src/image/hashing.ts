/** Digests of bytes. Apart from digest.ts, since loading node:crypto takes a tenth of a short command. */
import { createHash } from "node:crypto";
import { GantryError } from "../base/errors.ts";
import { type Algorithm, parseDigest } from "./digest.ts";

/** The digest of `bytes` in text form. */
export function digestOf(bytes: Uint8Array, algorithm: Algorithm = "sha256"): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Throws DigestMismatch, naming `what`, unless `bytes` have this digest. */
export function checkDigest(bytes: Uint8Array, digest: string, what: string): void {
  const { algorithm } = parseDigest(digest);
  const found = digestOf(bytes, algorithm);
  if (found === digest) return;
  throw new GantryError("DigestMismatch", `${what} should have digest ${digest} but has ${found}`);
}
