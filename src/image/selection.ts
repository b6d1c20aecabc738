/** From an index to the one manifest that is for this machine, through indexes within indexes. */

import { GantryError } from "../base/errors.ts";
import { COMPANION } from "./layout-signatures.ts";
import { type Descriptor, documentKind, parseIndex } from "./oci.ts";
import { choosePlatform, type HostPlatform, platformText } from "./platform.ts";

export type Selection = {
  readonly manifest: Descriptor;
  /** The indexes that led to it, outermost first. */
  readonly indexes: readonly Descriptor[];
};

export type SelectionOptions = {
  readonly host: HostPlatform;
  /** Names in messages whose images are chosen from. */
  readonly what: string;
  /** Reads an index, verified. */
  readonly read: (index: Descriptor) => Promise<Buffer>;
};

const DEEPEST = 3;

/** Descends from the entries of an index to one manifest. Throws BadImage, Unsupported, and what `read` throws. */
export async function selectManifest(
  entries: readonly Descriptor[],
  { host, what, read }: SelectionOptions,
): Promise<Selection> {
  const indexes: Descriptor[] = [];
  let candidates = entries;
  for (let depth = 0; depth <= DEEPEST; depth++) {
    const chosen = choosePlatform(candidates, host);
    if (chosen === undefined) throw noPlatform(candidates, host, what);
    if (documentKind(chosen) === "manifest") return { manifest: chosen, indexes };
    indexes.push(chosen);
    candidates = parseIndex(await read(chosen), `index ${chosen.digest}`, chosen).manifests.filter(isImage);
  }
  throw new GantryError("BadImage", `the indexes of ${what} nest deeper than ${DEEPEST}`);
}

/**
 * Attestations and signatures ride in indexes beside images: BuildKit marks them by platform unknown/unknown, cosign by
 * their name.
 */
export function isImage({ artifactType, platform, annotations }: Descriptor): boolean {
  if (artifactType !== undefined || platform?.os === "unknown") return false;
  return !COMPANION.test(annotations?.["org.opencontainers.image.ref.name"] ?? "");
}

function noPlatform(candidates: readonly Descriptor[], host: HostPlatform, what: string): GantryError {
  const platforms = candidates.map(({ platform }) =>
    platform === undefined ? "none" : platformText(platform),
  );
  const message = `${what} has no image for ${host.os}/${host.architecture}`;
  return new GantryError("BadImage", message, { hint: `it offers ${platforms.join(", ") || "nothing"}` });
}
