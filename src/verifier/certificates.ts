/** OpenPGP certificates, and what makes their signatures count or not. openpgp.js is loaded when it is first needed. */
import type { Key, PublicKey, Subkey } from "openpgp";
import { sentence } from "./sentence.ts";

/** openpgp.js, with what it does not bound itself. */
export async function OPENPGP() {
  return await import("openpgp");
}

/** An OpenPGP message that is smaller packed than this is unpacked. */
export const MESSAGE_LIMIT = 4 * 1024 * 1024;

const ARMOURED = /-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g;
const ANY_ARMOUR = "-----BEGIN PGP";

/** Every certificate of a file; one that is in it twice is one. Throws an Error. */
export async function readCertificates(content: Buffer): Promise<PublicKey[]> {
  const { readKeys } = await OPENPGP();
  const text = content.toString("latin1");
  const blocks = text.match(ARMOURED) ?? [];
  if (blocks.length === 0 && text.includes(ANY_ARMOUR))
    throw new Error("holds armoured text that is no public key");
  const read =
    blocks.length === 0
      ? [await readKeys({ binaryKeys: content })]
      : await Promise.all(blocks.map((armoredKeys) => readKeys({ armoredKeys })));
  const keys = read.flat();
  if (keys.some((key) => key.isPrivate())) throw new Error("holds a private key, which has no place here");
  return await merge(keys.map((key) => key.toPublic()));
}

/** Copies of one certificate become one: a renewal in one file, or a revocation, counts for all. */
export async function merge(keys: readonly PublicKey[]): Promise<PublicKey[]> {
  const merged = new Map<string, PublicKey>();
  for (const key of keys) {
    const fingerprint = key.getFingerprint();
    const known = merged.get(fingerprint);
    merged.set(fingerprint, known === undefined ? key : await known.update(key));
  }
  return [...merged.values()];
}

/** Why nothing that this certificate signed counts; undefined when it does. */
export async function problemOf(certificate: Key, now: Date): Promise<string | undefined> {
  try {
    await certificate.verifyPrimaryKey(now);
    return undefined;
  } catch (error) {
    return sentence(error);
  }
}

/** Microseconds since the epoch; undefined for one that does not expire, or is not valid at all. */
export async function expiryOf(key: Key | Subkey): Promise<number | undefined> {
  const expires = await key.getExpirationTime();
  return expires instanceof Date ? expires.getTime() * 1000 : undefined;
}
