/**
 * Layers that are parts of others: what path whitelists leave (docs/on-disk-format.md). A part is made of the whole
 * layer's tree, which stays; it is shared like any layer.
 */
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readBounded, storeError } from "../base/file.ts";
import { fileNameOf } from "../image/digest.ts";
import { digestOf } from "../image/hashing.ts";
import type { ImageLayer } from "../image/record.ts";
import { keptPaths, type ListedEntry, type Whitelist } from "../image/whitelist.ts";
import { layerFacts, publishLayer } from "./layers.ts";
import type { Operation } from "./operation.ts";
import { packLayers } from "./pack.ts";
import { layerListPath, type Store } from "./store.ts";
import type { Tools } from "./tool.ts";
import { type Unpacker, unpack } from "./unpacker.ts";

// Two million entries of long paths (docs/unpacker.md).
const LIST_LIMIT = 2 ** 30;

export type PartOptions = {
  readonly unpacker: Unpacker;
  readonly tools: Tools;
  readonly signal?: AbortSignal | undefined;
};

/**
 * The part of an appc layer that a whitelist leaves; the layer itself when that is all of it. The layer must be here, and
 * relied on. Throws StoreFull, Cancelled, Internal.
 */
export async function partOfLayer(
  operation: Operation,
  { layer, whitelist }: { readonly layer: ImageLayer; readonly whitelist: Whitelist },
  options: PartOptions,
): Promise<ImageLayer> {
  const named = await namePart(operation.store, { layer, whitelist });
  if (named === undefined) return layer;
  const { of, diffId, kept } = named;
  await operation.relyOn([fileNameOf(of), fileNameOf(diffId)]);
  const facts =
    (await layerFacts(operation.store, diffId)) ??
    (await makePart(operation, { from: layer.diffId, diffId, kept }, options));
  return { ...layer, ...facts, diffId, of };
}

export type PartName = { readonly of: string; readonly diffId: string; readonly kept: readonly string[] };

/** What a whitelist leaves of a layer that is here, and how that is called; undefined when it is all of it. */
export async function namePart(
  store: Store,
  { layer, whitelist }: { readonly layer: ImageLayer; readonly whitelist: Whitelist },
): Promise<PartName | undefined> {
  const list = await readBounded(layerListPath(store, layer.diffId), LIST_LIMIT);
  const kept = keptPaths(entriesOf(list), whitelist);
  const of = layer.of ?? layer.diffId;
  return kept === undefined ? undefined : { of, diffId: partId(of, kept), kept };
}

/** The name of a part: whoever keeps the same paths of the same layer, keeps the same part. */
function partId(of: string, kept: readonly string[]): string {
  // As bytes sort: the paths are ASCII.
  const lines = ["gantry-part 1", of, ...[...kept].sort()];
  return digestOf(Buffer.from(lines.map((line) => `${line}\n`).join("")));
}

function* entriesOf(list: Buffer): Generator<ListedEntry> {
  for (let start = 0, end = list.indexOf(10); end >= 0; start = end + 1, end = list.indexOf(10, start)) {
    const line = list.toString("latin1", start, end);
    // Attributes, what became void, and the totals are no entries (docs/unpacker.md).
    if ("xnt".includes(line.charAt(0))) continue;
    yield { type: line.charAt(0), path: line.slice(line.lastIndexOf(" ") + 1) };
  }
}

type Part = { readonly from: string; readonly diffId: string; readonly kept: readonly string[] };

/** Packs what is kept as an ACI and unpacks that: whoever reads a tree writes no layer, and is as confined as who does. */
async function makePart(operation: Operation, part: Part, { tools, unpacker, signal }: PartOptions) {
  const name = `part-${part.diffId.slice(7, 19)}`;
  const into = await operation.makeDirectory(name);
  const path = await packPart(operation, part, { tools, signal });
  const archive = { path, offset: 0, length: (await stat(path)).size };
  const request = { verb: "aci", operation: operation.id, part: name, into, archive, signal } as const;
  const { bytes, paths } = await unpack(unpacker, request, `the part of layer ${part.from}`);
  await publishLayer(operation.store, part.diffId, into);
  return { unpackedSize: bytes, entries: paths };
}

async function packPart(
  operation: Operation,
  { from, kept }: Part,
  options: Pick<PartOptions, "tools" | "signal">,
): Promise<string> {
  const words = await operation.makeDirectory(`part-words-${operation.nextNumber()}`);
  const [manifest, only] = [join(words, "manifest"), join(words, "only")];
  try {
    // The unpacker wants one, and nobody reads it.
    await writeFile(manifest, "{}");
    await writeFile(only, kept.map((path) => `${path}\n`).join(""));
  } catch (error) {
    throw storeError(error, words);
  }
  const request = { verb: "aci", layers: [from], compression: "none", manifest, only } as const;
  return (await packLayers(operation, request, options)).path;
}
