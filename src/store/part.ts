/**
 * Layers that are parts of others: what path whitelists leave (docs/on-disk-format.md). A part is made of the whole
 * layer's tree, which stays; it is shared like any layer.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { GantryError } from "../base/errors.ts";
import { readBounded, storeError } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { fileNameOf } from "../image/digest.ts";
import { digestOf } from "../image/hashing.ts";
import type { ImageLayer } from "../image/record.ts";
import { decodePath, keptPaths, type ListedEntry, type Whitelist } from "../image/whitelist.ts";
import { layerFacts, publishLayer } from "./layers.ts";
import type { Operation } from "./operation.ts";
import { layerListPath, layerPath } from "./store.ts";
import { type Unpacker, unpack } from "./unpacker.ts";

// Two million entries of long paths (docs/unpacker.md).
const LIST_LIMIT = 2 ** 30;

export type PartOptions = {
  readonly unpacker: Unpacker;
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
  const list = await readBounded(layerListPath(operation.store, layer.diffId), LIST_LIMIT);
  const kept = keptPaths(entriesOf(list), whitelist);
  if (kept === undefined) return layer;
  const of = layer.of ?? layer.diffId;
  const diffId = partId(of, kept);
  await operation.relyOn([fileNameOf(of), fileNameOf(diffId)]);
  const facts =
    (await layerFacts(operation.store, diffId)) ??
    (await makePart(operation, { from: layer.diffId, diffId, kept }, options));
  return { ...layer, ...facts, diffId, of };
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

/** Packs what is kept as an ACI and unpacks that, so that only the confined unpacker writes layers. */
async function makePart(operation: Operation, part: Part, { unpacker, signal }: PartOptions) {
  const name = `part-${part.diffId.slice(7, 19)}`;
  const into = await operation.makeDirectory(name);
  const packed = await operation.makeDirectory(`${name}-packed`);
  const path = await packPart(layerPath(operation.store, part.from), part.kept, packed);
  const what = `the part of layer ${part.from}`;
  const archive = { path, offset: 0, length: (await stat(path)).size };
  const request = { verb: "aci", operation: operation.id, part: name, into, archive, signal } as const;
  const { bytes, paths } = await unpack(unpacker, request, what);
  await publishLayer(operation.store, part.diffId, into);
  return { unpackedSize: bytes, entries: paths };
}

/**
 * By GNU tar, which every Debian has: pax headers carry attributes and lists, and of a hard link whose file is not kept it
 * makes that file.
 */
async function packPart(tree: string, kept: readonly string[], into: string): Promise<string> {
  const archive = join(into, "aci");
  const names = join(into, "names");
  try {
    await writeFile(names, Buffer.concat(kept.flatMap((path) => [decodePath(path), Buffer.from([0])])));
    await using output = await open(archive, "wx");
    await output.write(await emptyManifest());
    const format = [
      "--create",
      "--format=pax",
      "--numeric-owner",
      "--sparse",
      "--transform=flags=rh;s,^,rootfs/,",
    ];
    const attributes = ["--acls", "--xattrs", "--xattrs-include=*"];
    const files = ["--no-recursion", "--null", "--verbatim-files-from", `--files-from=${names}`];
    // It goes on where the manifest ends: both write through one open file.
    await runTar([...format, ...attributes, `--directory=${tree}`, ...files], output.fd);
  } catch (error) {
    throw storeError(error, into);
  }
  return archive;
}

/** The unpacker wants a manifest, and nobody reads this one. Without the two blocks that end an archive. */
async function emptyManifest(): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: "manifest", mtime: new Date(0) }, "{}");
  archive.finalize();
  return (await buffer(archive)).subarray(0, -1024);
}

async function runTar(words: readonly string[], output: number): Promise<void> {
  const environment = { PATH: "/usr/bin:/bin", LC_ALL: "C" };
  const child = spawn("tar", ["--file=-", ...words], { env: environment, stdio: ["ignore", output, "pipe"] });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(0, 4096);
  });
  const [status] = (await once(child, "close")) as [number | null];
  if (status === 0) return;
  throw new GantryError("Internal", `a part of a layer could not be packed: ${quoted(said.trim())}`);
}
