/** Content digests, `sha256:<hex>` and `sha512:<hex>` (reference: OCI image specification, descriptor). */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";

export type Algorithm = "sha256" | "sha512";

export type Digest = { readonly algorithm: Algorithm; readonly hex: string };

const DIGITS: Readonly<Record<Algorithm, number>> = { sha256: 64, sha512: 128 };

/**
 * Reads `ALGORITHM:HEX`. Throws BadImage for what is no digest, Unsupported for an algorithm that is well-formed but
 * unknown, because what can't be computed can't be trusted.
 */
export function parseDigest(text: string): Digest {
  const match = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/.exec(text);
  const [, algorithm = "", hex = ""] = match ?? [];
  if (match === null) throw new GantryError("BadImage", `${quoted(text)} is not a digest`);
  if (!isAlgorithm(algorithm)) {
    throw new GantryError(
      "Unsupported",
      `digest ${quoted(text)} uses an algorithm other than sha256 and sha512`,
    );
  }
  if (hex.length !== DIGITS[algorithm] || !/^[0-9a-f]+$/.test(hex)) {
    throw new GantryError(
      "BadImage",
      `${quoted(text)} is not a digest: ${algorithm} has ${DIGITS[algorithm]} lowercase hexadecimal digits`,
    );
  }
  return { algorithm, hex };
}

export function isAlgorithm(text: string): text is Algorithm {
  return text === "sha256" || text === "sha512";
}

/** Hexadecimal digits of a digest of this algorithm. */
export function digits(algorithm: Algorithm): number {
  return DIGITS[algorithm];
}

/** A digest as a file's or image's name: `sha256-<hex>`. */
export function fileNameOf(digest: string): string {
  const { algorithm, hex } = parseDigest(digest);
  return `${algorithm}-${hex}`;
}
