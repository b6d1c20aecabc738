/**
 * Standard input, read once for all digests that are wanted of it. openpgp.js would read it as a stream, which takes twice
 * as long as hashing does.
 */
import { createHash, type Hash } from "node:crypto";
import { readSync } from "node:fs";
import type { SignaturePacket } from "openpgp";

export type InputDigests = {
  readonly sha256: string;
  /** What a signature packet of binary type signs, by its place in the list; undefined for one of no known kind. */
  readonly signed: readonly (Uint8Array | undefined)[];
};

/** OpenPGP's numbers of digest algorithms that are fit for signatures (RFC 9580, 9.5), by Node's names. */
const ALGORITHMS: ReadonlyMap<number | null, string> = new Map([
  [8, "sha256"],
  [9, "sha384"],
  [10, "sha512"],
  [12, "sha3-256"],
  [14, "sha3-512"],
]);
const CHUNK = 256 * 1024;

export function digestInput(packets: readonly SignaturePacket[]): InputDigests {
  const whole = createHash("sha256");
  const hashes = new Map<string, Hash>([["sha256 ", whole]]);
  const keys = packets.map((packet) => startHash(hashes, packet));
  readInput((chunk) => {
    for (const hash of hashes.values()) hash.update(chunk);
  });
  const signed = packets.map((packet, at) => endHash(hashes.get(keys[at] ?? ""), packet));
  return { sha256: whole.digest("hex"), signed };
}

/** Signatures of one algorithm, and of one salt where there is one, share their hash up to the end of the file. */
function startHash(hashes: Map<string, Hash>, packet: SignaturePacket): string | undefined {
  const algorithm = ALGORITHMS.get(packet.hashAlgorithm);
  if (algorithm === undefined) return undefined;
  const salt = saltOf(packet);
  const key = `${algorithm} ${Buffer.from(salt).toString("hex")}`;
  if (!hashes.has(key)) hashes.set(key, createHash(algorithm).update(salt));
  return key;
}

/** From version 6 on a signature is salted. */
function saltOf(packet: SignaturePacket): Uint8Array {
  const { salt } = packet as { readonly salt?: Uint8Array | null };
  return salt ?? new Uint8Array();
}

/** The signature's own fields, and how long they are (RFC 9580, 5.2.4). */
function endHash(
  hash: Hash | undefined,
  { version, signatureData }: SignaturePacket,
): Uint8Array | undefined {
  if (hash === undefined || signatureData === null || (version !== 4 && version !== 6)) return undefined;
  const trailer = Buffer.from([version, 0xff, 0, 0, 0, 0]);
  trailer.writeUInt32BE(signatureData.length, 2);
  return hash.copy().update(signatureData).update(trailer).digest();
}

function readInput(take: (chunk: Buffer) => void): void {
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (let position = 0; ; ) {
    const got = readSync(0, buffer, 0, buffer.length, position);
    if (got === 0) return;
    position += got;
    take(buffer.subarray(0, got));
  }
}
