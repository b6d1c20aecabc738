/**
 * The trust generation: one number for the state of everything that decides whom this host trusts. Equal numbers mean
 * that nothing was added, removed or changed, so that a start need not judge its images again. native/trust/generation.c
 * computes the same; test/golden/generations holds both to it.
 */
import { lstatSync, readdirSync, statSync } from "node:fs";
import { errnoOf } from "../base/errors.ts";
import { trustPlaces } from "../config/trust.ts";

/** What stat(2) says of a file. */
export type Facts = {
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  /** A modification time can be set back, and a copy over a file usually does. */
  readonly ctimeNs: bigint;
};

export type Entry = Facts & {
  readonly path: Buffer;
  /** Of a symbolic link: what it leads to, null when that is nothing. */
  readonly target?: Facts | null;
};

/** The generation of the trust configuration below `root`, by default this host's. System errors pass as they are. */
export function readGeneration(root?: string): string {
  return generationOf(trustPlaces(root).flatMap((place) => entriesOf(Buffer.from(place))));
}

/** FNV-1a, 128 bits: it tells accidents apart; who could aim at it can write the files themselves. */
export function generationOf(entries: readonly Entry[]): string {
  const hash = Uint32Array.from(OFFSET);
  for (const entry of entries) addBytes(hash, bytesOf(entry));
  return [...hash].map((limb) => limb.toString(16).padStart(8, "0")).join("");
}

const OFFSET = [0x6c62272e, 0x07bb0142, 0x62b82175, 0x6295c58d];
const LIMB = 2 ** 32;

/** In four limbs, the highest first: the large integers of the language take several times as long. */
function addBytes(hash: Uint32Array, bytes: Buffer): void {
  let [a = 0, b = 0, c = 0, d = 0] = hash;
  for (const byte of bytes) {
    const low = (d ^ byte) >>> 0;
    // The prime is 2^88 + 0x13b; 88 bits are two limbs and 24 bits.
    const d1 = low * 0x13b;
    const c1 = c * 0x13b + Math.floor(d1 / LIMB);
    const b1 = b * 0x13b + ((low << 24) >>> 0) + Math.floor(c1 / LIMB);
    const a1 = a * 0x13b + (low >>> 8) + ((c << 24) >>> 0) + Math.floor(b1 / LIMB);
    [a, b, c, d] = [a1 % LIMB, b1 % LIMB, c1 % LIMB, d1 % LIMB];
  }
  hash.set([a, b, c, d]);
}

function bytesOf(entry: Entry): Buffer {
  const target =
    entry.target === undefined ? "" : entry.target === null ? "@\n" : factsText("@", entry.target);
  return Buffer.concat([entry.path, Buffer.from(`\0${factsText(" ", entry)}${target}`)]);
}

function factsText(mark: string, { ino, size, mtimeNs, ctimeNs }: Facts): string {
  return `${mark}${ino} ${size} ${unsigned(mtimeNs)} ${unsigned(ctimeNs)}\n`;
}

/** Of times before 1970 Node and C agree on the bits. */
function unsigned(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

const LISTED = { encoding: "buffer" } as const;

/** The path itself and what is below it; names are bytes, and sorted as such. */
function entriesOf(path: Buffer): Entry[] {
  const facts = unlessAbsent(() => lstatSync(path, { bigint: true }));
  if (facts === undefined) return [];
  if (facts.isSymbolicLink()) return [{ ...pick(facts), path, target: targetOf(path) }];
  if (!facts.isDirectory()) return [{ ...pick(facts), path }];
  const names = readdirSync(path, LISTED).sort(Buffer.compare);
  const below = names.flatMap((name) => entriesOf(Buffer.concat([path, Buffer.from("/"), name])));
  return [{ ...pick(facts), path }, ...below];
}

function pick({ ino, size, mtimeNs, ctimeNs }: Facts): Facts {
  return { ino, size, mtimeNs, ctimeNs };
}

function targetOf(path: Buffer): Facts | null {
  try {
    return pick(statSync(path, { bigint: true }));
  } catch {
    return null;
  }
}

function unlessAbsent<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
