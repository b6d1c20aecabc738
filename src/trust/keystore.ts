/**
 * The keystore, `trustedkeys` below each of the configuration's directories, in rkt's layout: `root.d/<fingerprint>` for
 * every name, `prefix.d/<prefix>/<fingerprint>` for the names below a prefix; `named.d/<name>` for rules that name their
 * keys. Nothing here reads a key: that is the verifier's (docs/trust.md).
 */
import { mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { exists, syncDirectory, unlessMissing, unlinkIfPresent, writeFileDurably } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import {
  badConfig,
  type Found,
  findOwnFiles,
  linkedDirectory,
  type Roots,
  readConfiguration,
} from "../config/files.ts";
import { KEYSTORE_DIRECTORY } from "../config/trust.ts";
import { digestOf } from "../image/hashing.ts";
import { prefixesOf } from "./scope.ts";

/** Names a key is trusted for: every name, those below a prefix, or those of the rules that name it. */
export type KeyPlace =
  | { readonly kind: "root" }
  | { readonly kind: "prefix"; readonly prefix: string }
  | { readonly kind: "named" };

export type KeyFile = {
  readonly path: string;
  readonly content: Buffer;
  readonly digest: string;
  /** What its name says it is; a key named by a rule may be called anything. */
  readonly fingerprint?: string;
};

export type KeyEntry = {
  readonly place: KeyPlace;
  /** The fingerprint, with `.pem` behind that of a bare public key; any name in named.d. */
  readonly name: string;
  readonly path: string;
  /** An empty file: keys of this name behind it are not trusted. */
  readonly masked: boolean;
};

export const KEY_LIMIT = 1024 * 1024;
const KEYS_LIMIT = 64;
/** OpenPGP fingerprints have 40 digits, or 64 from version 6 on; of a public key it is the sha256 of its DER. */
const FINGERPRINT_NAME = /^([0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{64}\.pem)$/;

/** The keys trusted for a name. Throws BadConfig. */
export async function keysFor(roots: Roots, name: string): Promise<KeyFile[]> {
  const trusted = new Map<string, Found>();
  for (const place of placesOf(name)) {
    for (const file of await placeFiles(roots, place)) trusted.set(file.name, file);
  }
  const files = [...trusted.values()].filter(({ masked }) => !masked);
  if (files.length > KEYS_LIMIT)
    throw badConfig(files[KEYS_LIMIT]?.path ?? "", `is one key too many for ${quoted(name)}`);
  return await Promise.all(files.map((file) => readKey(file, file.name.replace(/\.pem$/, ""))));
}

/** The keys that a rule of `file` names. Throws BadConfig. */
export async function namedKeys(roots: Roots, names: readonly string[], file: string): Promise<KeyFile[]> {
  const found = await placeFiles(roots, { kind: "named" });
  return await Promise.all(
    names.map(async (name) => {
      const key = found.find((one) => one.name === name);
      if (key !== undefined && !key.masked) return await readKey(key);
      throw badConfig(file, `names key ${quoted(name)}, which is not in ${KEYSTORE_DIRECTORY}/named.d`);
    }),
  );
}

/** Every key file, masks included. Throws BadConfig. */
export async function listKeys(roots: Roots): Promise<KeyEntry[]> {
  const prefixes = new Set<string>();
  for (const root of roots) await addPrefixes(prefixes, join(root, KEYSTORE_DIRECTORY, "prefix.d"));
  const places: KeyPlace[] = [
    { kind: "root" },
    ...[...prefixes].sort().map((prefix): KeyPlace => ({ kind: "prefix", prefix })),
    { kind: "named" },
  ];
  const lists = await Promise.all(
    places.map(async (place) => (await placeFiles(roots, place)).map((file) => ({ place, ...file }))),
  );
  return lists.flat();
}

/** Writes a key durably to the keystore below `root`; returns its path. Throws StoreFull, BadConfig. */
export async function addKey(
  root: string,
  key: { readonly place: KeyPlace; readonly name: string; readonly content: string },
): Promise<string> {
  await placeFiles([root], key.place);
  const path = join(root, KEYSTORE_DIRECTORY, placePath(key.place), key.name);
  await makeDirectories(dirname(path));
  await writeFileDurably(path, key.content, { mode: 0o644 });
  return path;
}

/**
 * Removes a key from the keystore below the first of `roots`, and masks it where one of the others has it. Returns the
 * path that was removed or made a mask; undefined when no such key was trusted. Throws StoreFull.
 */
export async function removeKey(
  roots: Roots,
  { place, name }: { readonly place: KeyPlace; readonly name: string },
): Promise<string | undefined> {
  const [first = "", ...others] = roots.map((root) => join(root, KEYSTORE_DIRECTORY, placePath(place), name));
  const [found] = (await placeFiles(roots, place)).filter((file) => file.name === name && !file.masked);
  if (found === undefined) return undefined;
  const behind = await Promise.all(others.map(exists));
  if (behind.includes(true)) {
    await makeDirectories(dirname(first));
    await writeFileDurably(first, "", { mode: 0o644 });
  } else {
    await unlinkIfPresent(first);
    await syncDirectory(dirname(first));
  }
  return first;
}

/** From the least to the most specific, and each over all roots: what comes later counts. */
function placesOf(name: string): KeyPlace[] {
  return [{ kind: "root" }, ...prefixesOf(name).map((prefix): KeyPlace => ({ kind: "prefix", prefix }))];
}

function placePath(place: KeyPlace): string {
  return place.kind === "prefix" ? join("prefix.d", place.prefix) : `${place.kind}.d`;
}

async function placeFiles(roots: Roots, place: KeyPlace): Promise<Found[]> {
  const files = await findOwnFiles(roots, join(KEYSTORE_DIRECTORY, placePath(place)), () => true);
  const wrong = place.kind === "named" ? undefined : files.find(({ name }) => !FINGERPRINT_NAME.test(name));
  if (wrong !== undefined) throw badConfig(wrong.path, "is not named by its key's fingerprint in lower case");
  return files;
}

async function readKey({ path }: Found, fingerprint?: string): Promise<KeyFile> {
  const content = await readConfiguration(path, KEY_LIMIT);
  return { path, content, digest: digestOf(content), ...(fingerprint === undefined ? {} : { fingerprint }) };
}

async function addPrefixes(prefixes: Set<string>, directory: string, prefix = ""): Promise<void> {
  const entries = (await unlessMissing(readdir(directory, { withFileTypes: true }))) ?? [];
  const link = prefix === "" ? entries.find((one) => one.isSymbolicLink()) : undefined;
  if (link !== undefined) throw linkedDirectory(join(directory, link.name));
  for (const entry of entries.filter((one) => one.isDirectory())) {
    const deeper = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    prefixes.add(deeper);
    await addPrefixes(prefixes, join(directory, entry.name), deeper);
  }
}

/** Every new directory is as durable as the key in it. */
async function makeDirectories(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
}
