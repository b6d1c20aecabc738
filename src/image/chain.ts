/** From the digest that a name or the operator said to the manifest that was chosen, through indexes. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { ImageFiles } from "./archive.ts";
import { checkDigest, digestOf } from "./hashing.ts";
import { readBlob } from "./layout.ts";
import { type Descriptor, parseIndex } from "./oci.ts";
import type { HostPlatform } from "./platform.ts";
import { isImage, selectManifest } from "./selection.ts";

export type Chain = {
  /** The first is what was asked for; each lists the next, the last one the manifest. */
  readonly indexes: readonly Descriptor[];
  readonly manifest: Descriptor;
};

/**
 * Verifies that each document of a chain leads to the next, and that it begins with `pinned`, if that is given: whoever
 * fetched them is not trusted to have chosen among what was asked for. Throws BadImage, DigestMismatch.
 */
export async function verifyChain(
  files: ImageFiles,
  { indexes, manifest }: Chain,
  pinned: string | undefined,
): Promise<void> {
  const [first = manifest] = indexes;
  if (pinned !== undefined && first.digest !== pinned) {
    const message = `${quoted(files.path)} should have digest ${pinned} but has ${first.digest}`;
    throw new GantryError("DigestMismatch", message);
  }
  for (const [at, index] of indexes.entries()) {
    const next = indexes[at + 1] ?? manifest;
    const what = `index ${index.digest}`;
    const { manifests } = parseIndex(await readBlob(files, index, "index"), what, index);
    if (manifests.some(({ digest, size }) => digest === next.digest && size === next.size)) continue;
    throw new GantryError("BadImage", `${what} does not list ${next.digest}`);
  }
}

/** Verifies that among what a chain's first index offers the manifest is for this machine, by its platform. Throws BadImage. */
export async function verifyChoice(
  files: ImageFiles,
  { indexes: [first], manifest }: Chain,
  host: HostPlatform,
): Promise<void> {
  if (first === undefined) return;
  const what = `index ${first.digest}`;
  const read = (index: Descriptor) => readBlob(files, index, "index");
  const entries = parseIndex(await read(first), what, first).manifests.filter(isImage);
  const chosen = (await selectManifest(entries, { host, what, read })).manifest.digest;
  if (chosen === manifest.digest) return;
  throw new GantryError("BadImage", `${what} has ${chosen} for this machine, not ${manifest.digest}`);
}

/**
 * The same as verifyChain() of documents in memory, the indexes by their digests and in the chain's order: whoever says that they are a
 * chain is not believed. Throws BadImage, DigestMismatch.
 */
export function checkChain(indexes: ReadonlyMap<string, Buffer>, manifest: Buffer): void {
  for (const [digest, bytes] of indexes) checkDigest(bytes, digest, "index");
  const followers = [...[...indexes.values()].slice(1), manifest];
  for (const [at, [digest, bytes]] of [...indexes].entries()) {
    const next = followers[at] ?? manifest;
    // An entry may name the next by another algorithm than its identity has.
    const names = [digestOf(next), digestOf(next, "sha512")];
    const { manifests } = parseIndex(bytes, `index ${digest}`);
    if (manifests.some((entry) => names.includes(entry.digest) && entry.size === next.length)) continue;
    throw new GantryError("BadImage", `index ${digest} does not list ${names[0]}`);
  }
}
