/** From the digest that a name or the operator said to the manifest that was chosen, through indexes. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { ImageFiles } from "./archive.ts";
import { readBlob } from "./layout.ts";
import { type Descriptor, parseIndex } from "./oci.ts";

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
