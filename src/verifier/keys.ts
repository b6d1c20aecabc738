/** Key files: OpenPGP certificates, armoured or not, and bare public keys in PEM. */
import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import type { Key, PublicKey } from "openpgp";
import type { KeyDescription } from "../trust/verifier.ts";
import { expiryOf, OPENPGP, problemOf, readCertificates } from "./certificates.ts";
import { sentence } from "./sentence.ts";

export type BareKey = { readonly fingerprint: string; readonly key: KeyObject };

export type KeyFile = { readonly certificates: readonly PublicKey[]; readonly bare: readonly BareKey[] };

const PEM = /-----BEGIN (?:RSA )?PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END (?:RSA )?PUBLIC KEY-----/g;
/** Keys of one file beyond these are an accident or an attack. */
const KEYS_LIMIT = 64;
const SHORTEST_RSA = 2048;

/** Every key of a file. Throws an Error that says why it is none. */
export async function readKeyFile(content: Buffer): Promise<KeyFile> {
  if (content.includes("PRIVATE KEY")) throw new Error("holds a private key, which has no place here");
  const pems = content.toString("latin1").match(PEM) ?? [];
  if (pems.length > KEYS_LIMIT) throw new Error(`holds more than ${KEYS_LIMIT} keys`);
  if (pems.length > 0) return { certificates: [], bare: pems.map(readBareKey) };
  const certificates = await readCertificates(content);
  if (certificates.length === 0) throw new Error("holds no public key");
  if (certificates.length > KEYS_LIMIT) throw new Error(`holds more than ${KEYS_LIMIT} keys`);
  return { certificates, bare: [] };
}

/** What people are shown of a file's keys, or why it is no key file. */
export async function describeFile(content: Buffer, now: Date): Promise<KeyDescription[] | string> {
  try {
    const { certificates, bare } = await readKeyFile(content);
    const described = certificates.map((certificate) => describeCertificate(certificate, now));
    return [...bare.map(describeBare), ...(await Promise.all(described))];
  } catch (error) {
    return sentence(error);
  }
}

/** Why a bare key's signatures don't count; undefined when they do. */
export function bareProblem(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "ed25519") return undefined;
  if (type === "ec" && details?.namedCurve === "prime256v1") return undefined;
  if (type === "rsa" && (details?.modulusLength ?? 0) >= SHORTEST_RSA) return undefined;
  if (type === "rsa")
    return `RSA with ${details?.modulusLength} bits is too weak; ${SHORTEST_RSA} are needed`;
  return `keys of kind ${details?.namedCurve ?? type} are not accepted; P-256, Ed25519 and RSA are`;
}

function readBareKey(pem: string): BareKey {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new Error("holds a public key that can't be read", { cause });
  }
  const der = key.export({ type: "spki", format: "der" });
  return { key, fingerprint: createHash("sha256").update(der).digest("hex") };
}

function describeBare({ key, fingerprint }: BareKey): KeyDescription {
  const problem = bareProblem(key);
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  return {
    kind: "public-key",
    fingerprint,
    subkeys: [],
    userIds: [],
    algorithm: [key.asymmetricKeyType, namedCurve ?? modulusLength]
      .filter((part) => part !== undefined)
      .join(" "),
    ...(problem === undefined ? {} : { problem }),
    text: key.export({ type: "spki", format: "pem" }).toString(),
  };
}

async function describeCertificate(certificate: Key, now: Date): Promise<KeyDescription> {
  const problem = await problemOf(certificate, now);
  const expires = await expiryOf(certificate);
  const { algorithm, bits, curve } = certificate.getAlgorithmInfo();
  const { config } = await OPENPGP();
  return {
    kind: "openpgp",
    fingerprint: certificate.getFingerprint(),
    subkeys: certificate.getSubkeys().map((subkey) => subkey.getFingerprint()),
    userIds: certificate.getUserIDs().slice(0, 64).map(sentence),
    algorithm: [algorithm, curve ?? bits].filter((part) => part !== undefined).join(" "),
    created: certificate.getCreationTime().getTime() * 1000,
    ...(expires === undefined ? {} : { expires }),
    ...(problem === undefined ? {} : { problem }),
    text: certificate.armor(config),
  };
}
