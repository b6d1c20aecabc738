/**
 * Archives of images, read where they lie: an uncompressed tar is indexed once, and its layers are then unpacked
 * straight from their place in it.
 */
import { createReadStream } from "node:fs";
import { posix } from "node:path";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { GantryError } from "../base/errors.ts";
import { openRegular, readExactly } from "../base/file.ts";
import { quoted } from "../base/text.ts";

/** Bytes somewhere in a file. */
export type Extent = {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  /** It lies where a process that nobody trusts can write. */
  readonly contested?: boolean;
};

/** The files of an image: a directory, or an archive of one. */
export type ImageFiles = {
  /** The directory or archive, for messages. */
  readonly path: string;
  /** Where a file's bytes are; undefined when there is none. Throws BadImage when the name leads elsewhere. */
  extent(name: string): Promise<Extent | undefined>;
};

type Entry = {
  readonly type: Header["type"];
  readonly extent: Extent;
  readonly linkname: string;
};

export type Compression = "gzip" | "zstd" | "xz" | "bzip2";

// An archive of an image holds layers and a few documents; a million entries are an attack on our memory.
const MOST_ENTRIES = 100_000;
const MOST_LINKS = 40;

const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
];

/** How a file is compressed, by its first bytes; undefined when it is not. Throws BadImage. */
export async function compressionOf(path: string): Promise<Compression | undefined> {
  return await compressionOfExtent({ path, offset: 0, length: 8 });
}

/** The same for a part of a file. */
export async function compressionOfExtent({
  path,
  offset,
  length,
}: Extent): Promise<Compression | undefined> {
  await using file = await openRegular(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, Math.min(8, length), offset);
  const head = buffer.subarray(0, bytesRead);
  return MAGIC.find(([, magic]) => head.subarray(0, magic.length).equals(Buffer.from(magic)))?.[0];
}

export type Archive = ImageFiles & { readonly names: ReadonlySet<string> };

/**
 * Indexes an uncompressed tar, called `shown` in messages where it is a decompressed copy. Throws BadImage when it is
 * torn or no tar.
 */
export async function openArchive(path: string, shown = path): Promise<Archive> {
  const entries = await indexOf(path, shown);
  return {
    path: shown,
    names: new Set(entries.keys()),
    extent: async (name) => fileExtent(entries, name, shown),
  };
}

/** The bytes of a whole extent, at most `limit`. Throws BadImage. */
export async function readExtent(extent: Extent, limit: number, what: string): Promise<Buffer> {
  if (extent.length > limit) {
    throw new GantryError("BadImage", `${what} has ${extent.length} bytes, the limit is ${limit}`);
  }
  await using file = await openRegular(extent.path, { contested: extent.contested ?? false });
  return await readExactly(file, { path: extent.path, position: extent.offset, length: extent.length });
}

async function indexOf(path: string, shown: string): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  const tar = extract();
  tar.on("entry", (header, stream, next) => {
    const failure = addEntry(entries, header, { path, shown });
    // A torn archive destroys the entry's stream as well as the tar, whose own error is the one that is told.
    stream.on("error", () => {});
    stream.on("end", () => next());
    stream.resume();
    if (failure !== undefined) next(failure);
  });
  await using file = await openRegular(path);
  try {
    await pipeline(createReadStream(path, { fd: file, autoClose: false, highWaterMark: 1 << 20 }), tar);
  } catch (cause) {
    if (cause instanceof GantryError) throw cause;
    throw new GantryError("BadImage", `${quoted(shown)} is not a whole tar archive`, { cause });
  }
  return entries;
}

function addEntry(
  entries: Map<string, Entry>,
  header: Header,
  { path, shown }: { readonly path: string; readonly shown: string },
): GantryError | undefined {
  if (entries.size >= MOST_ENTRIES) {
    return new GantryError("BadImage", `${quoted(shown)} has more than ${MOST_ENTRIES} entries`);
  }
  const name = cleanName(header.name);
  if (name === undefined) {
    return new GantryError(
      "BadImage",
      `${quoted(shown)} has an entry with the bad name ${quoted(header.name)}`,
    );
  }
  // tar-stream sets byteOffset, the start of an entry's bytes, but does not declare it.
  const { byteOffset } = header as Header & { readonly byteOffset: number };
  const extent = { path, offset: byteOffset, length: header.size };
  entries.set(name, { type: header.type, extent, linkname: header.linkname ?? "" });
  return undefined;
}

/** `name` without `.` components and slashes at its ends; undefined when it has `..` or is absolute. */
function cleanName(name: string): string | undefined {
  if (name.startsWith("/") || name.includes("\0")) return undefined;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  return parts.includes("..") ? undefined : parts.join("/");
}

function fileExtent(entries: ReadonlyMap<string, Entry>, name: string, path: string): Extent | undefined {
  let at = name;
  for (let links = 0; links < MOST_LINKS; links++) {
    const entry = entries.get(at);
    if (entry === undefined)
      return links === 0 ? undefined : refuse(path, name, `leads to ${quoted(at)}, which is not there`);
    if (entry.type === "file" || entry.type === "contiguous-file") return entry.extent;
    if (entry.type !== "symlink" && entry.type !== "link") return refuse(path, name, `is a ${entry.type}`);
    at = linkTarget(at, entry) ?? refuse(path, name, "leads out of the archive");
  }
  return refuse(path, name, "is a loop of links");
}

/** Where a link leads; a symbolic one from its own directory, a hard one from the top. */
function linkTarget(name: string, entry: Entry): string | undefined {
  if (entry.type === "link") return cleanName(entry.linkname);
  if (entry.linkname.startsWith("/")) return undefined;
  const target = posix.normalize(posix.join(posix.dirname(name), entry.linkname));
  return cleanName(target);
}

function refuse(path: string, name: string, why: string): never {
  throw new GantryError("BadImage", `${quoted(path)}: ${quoted(name)} ${why}`);
}
