/**
 * OpenPGP signatures, detached and inline. openpgp.js verifies; what it leaves to its caller is decided here: a key that
 * is expired, revoked or weak now does not count, whenever it signed, and neither does a signature of the future.
 */
import type { Message, PublicKey, SignaturePacket, VerifyMessageResult } from "openpgp";
import { MESSAGE_LIMIT, OPENPGP, problemOf } from "./certificates.ts";
import { digestInput } from "./input.ts";
import { sentence } from "./sentence.ts";

export type Signed = {
  readonly fingerprint: string;
  readonly userIds: string[];
  readonly signed: number;
  readonly expires?: number;
};

/** What became of one signature packet. */
export type PacketResult = Signed | string;

const PACKETS_LIMIT = 32;

type Keys = { readonly certificates: readonly PublicKey[]; readonly now: Date };

/** The signature packets of a detached signature, armoured or not. Throws an Error that says why it is none. */
export async function readDetached(content: Buffer): Promise<SignaturePacket[]> {
  const { readSignature, config } = await OPENPGP();
  if (content.length === 0) throw new Error("the signature is empty");
  const armoured = content.includes("-----BEGIN PGP");
  const signature = armoured
    ? await readSignature({ armoredSignature: content.toString("latin1"), config })
    : await readSignature({ binarySignature: content, config });
  const packets = signature.packets.filterByTag(await signatureTag());
  if (packets.length === 0) throw new Error("there is no signature in it");
  if (packets.length > PACKETS_LIMIT) throw new Error(`it holds more than ${PACKETS_LIMIT} signatures`);
  return packets;
}

/** Checks signatures over standard input. Gives the input's sha256, and a result for each packet. */
export async function verifyInput(
  packets: readonly SignaturePacket[],
  keys: Keys,
): Promise<{ readonly sha256: string; readonly results: PacketResult[] }> {
  const { sha256, signed } = digestInput(packets);
  const results = packets.map((packet, at) => verifyDigest(packet, signed[at], keys).catch(sentence));
  return { sha256, results: await Promise.all(results) };
}

/** The same without the bytes, for signatures that were found good when these were here: the keys and dates of now. */
export async function recheck(packets: readonly SignaturePacket[], keys: Keys): Promise<PacketResult[]> {
  return await Promise.all(packets.map((packet) => signedBy(packet, keys).catch(sentence)));
}

/** The payload of an inline-signed message, and what became of its signatures. Throws an Error. */
export async function openMessage(
  content: Buffer,
  keys: Keys,
): Promise<{ readonly payload: Buffer; readonly results: PacketResult[] }> {
  const { readMessage, verify, config } = await OPENPGP();
  if (content.length === 0) throw new Error("the signature is empty");
  const bounded = { ...config, maxDecompressedMessageSize: MESSAGE_LIMIT };
  const armoured = content.includes("-----BEGIN PGP");
  const message = (
    armoured
      ? await readMessage({ armoredMessage: content.toString("latin1"), config: bounded })
      : await readMessage({ binaryMessage: content, config: bounded })
  ) as Message<Uint8Array>;
  const { signatures, data } = await verify({
    message,
    verificationKeys: [...keys.certificates],
    date: keys.now,
    format: "binary",
    config: bounded,
  });
  if (signatures.length === 0) throw new Error("it carries no signature inside");
  if (signatures.length > PACKETS_LIMIT) throw new Error(`it holds more than ${PACKETS_LIMIT} signatures`);
  const results = await Promise.all(signatures.map((result) => resultOf(result, keys)));
  return { payload: Buffer.from(data as Uint8Array), results };
}

async function resultOf(
  result: VerifyMessageResult["signatures"][number],
  keys: Keys,
): Promise<PacketResult> {
  // Whatever is found wrong before it is asked for.
  result.verified.catch(() => {});
  try {
    const { packets } = await result.signature;
    const [packet] = packets.filterByTag(await signatureTag());
    if (packet === undefined) throw new Error("there is no signature in it");
    const signed = await signedBy(packet, keys);
    await result.verified;
    return signed;
  } catch (error) {
    return sentence(error);
  }
}

/** Throws an Error unless a key that counts signed what has this digest. */
async function verifyDigest(
  packet: SignaturePacket,
  digest: Uint8Array | undefined,
  keys: Keys,
): Promise<Signed> {
  const signed = await signedBy(packet, keys);
  if (digest === undefined) throw new Error("it is of a kind that is not supported");
  const { created, issuerKeyID, signatureType } = packet;
  const certificate = signerOf(packet, keys);
  const [key] = certificate?.getKeys(issuerKeyID) ?? [];
  if (certificate === undefined || key === undefined || created === null || signatureType === null) {
    throw new Error("it has no key");
  }
  // openpgp.js takes the digest from here instead of computing it, as it does for signatures that come before their text.
  Object.assign(packet, { hashed: Promise.resolve(digest) });
  await packet.verify(key.keyPacket, signatureType, new Uint8Array(), keys.now, true);
  if (key.getCreationTime() > created) throw new Error("its key is younger than it");
  await certificate.getSigningKey(issuerKeyID, created);
  return signed;
}

/** Whose signature this is, if its key counts now. Throws an Error. */
async function signedBy(packet: SignaturePacket, keys: Keys): Promise<Signed> {
  const { now } = keys;
  const { enums, config } = await OPENPGP();
  // Some types are made over nothing at all, and would be good for every image.
  if (packet.signatureType !== enums.signature.binary)
    throw new Error("it is no signature of a file's bytes");
  if (packet.hashAlgorithm === null || config.rejectMessageHashAlgorithms.has(packet.hashAlgorithm)) {
    throw new Error("its hash algorithm is insecure");
  }
  const { created, issuerKeyID } = packet;
  const certificate = signerOf(packet, keys);
  if (certificate === undefined || created === null) {
    throw new Error(`its key ${issuerKeyID.toHex()} is not among those trusted for this name`);
  }
  if (created > now) throw new Error(`it is dated ${created.toISOString()}, which has not come yet`);
  const problem = await problemOf(certificate, now);
  if (problem !== undefined) throw new Error(`key ${certificate.getFingerprint()}: ${problem}`);
  const signer = await certificate.getSigningKey(issuerKeyID, now);
  const expiries = [
    packet.getExpirationTime(),
    await certificate.getExpirationTime(),
    await signer.getExpirationTime(),
  ];
  const dates = expiries.filter((date): date is Date => date instanceof Date);
  if (dates.some((date) => date <= now)) throw new Error("it has expired");
  const expires = Math.min(...dates.map((date) => date.getTime() * 1000));
  return {
    fingerprint: certificate.getFingerprint(),
    userIds: certificate.getUserIDs().slice(0, 64).map(sentence),
    signed: created.getTime() * 1000,
    ...(Number.isFinite(expires) ? { expires } : {}),
  };
}

function signerOf({ issuerKeyID }: SignaturePacket, { certificates }: Keys): PublicKey | undefined {
  return certificates.find((one) => one.getKeys(issuerKeyID).length > 0);
}

async function signatureTag() {
  return (await OPENPGP()).enums.packet.signature;
}
