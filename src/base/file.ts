/** Files that survive a crash: whole or absent, never torn (docs/on-disk-format.md). */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink, rename, symlink, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, GantryError } from "./errors.ts";
import { randomHex } from "./random.ts";
import { quoted } from "./text.ts";

export type WriteOptions = {
  readonly mode?: number;
  /** Where the temporary file is made, on the same file system; beside the target by default. */
  readonly scratch?: string;
};

/**
 * Replaces `path` by `content`: temporary file, fsync, rename, fsync of the directory. The temporary file's name
 * starts with a dot, so that garbage collection knows it. Throws StoreFull when the disk is full; what was there
 * before is then untouched.
 */
export async function writeFileDurably(
  path: string,
  content: string | Uint8Array,
  options: WriteOptions = {},
): Promise<void> {
  const temporary = temporaryFor(path, options.scratch);
  try {
    await writeSynced(temporary, content, options.mode ?? 0o600);
    await rename(temporary, path);
  } catch (error) {
    await unlinkIfPresent(temporary);
    throw storeError(error, dirname(path));
  }
  await syncDirectory(dirname(path));
}

/** Replaces `path` by a symbolic link to `target`, atomically and durably. Throws StoreFull. */
export async function writeSymlinkDurably(
  path: string,
  target: string,
  options: Pick<WriteOptions, "scratch"> = {},
): Promise<void> {
  const temporary = temporaryFor(path, options.scratch);
  try {
    await symlink(target, temporary);
    await rename(temporary, path);
  } catch (error) {
    await unlinkIfPresent(temporary);
    throw storeError(error, dirname(path));
  }
  await syncDirectory(dirname(path));
}

/** A name for what will be `path` by one rename. */
export function temporaryFor(path: string, scratch = dirname(path)): string {
  // The name itself may be as long as a name can be, so only a part of it is repeated.
  return join(scratch, `.${basename(path).slice(0, 64)}.${randomHex(6)}`);
}

const TEMPORARY = /^\..+\.[0-9a-f]{12}$/;

/** Milliseconds; nobody takes as long from a temporary file to its rename. */
const ABANDONED = 3_600_000;

/**
 * Removes the temporary files that writers left below a directory who were killed. A collector that may not write there, as the
 * timer's may not where trust is kept, leaves them to one that may.
 */
export async function collectTemporaries(directory: string): Promise<void> {
  try {
    await removeTemporaries(directory);
  } catch (error) {
    if (errnoOf(error) !== "EROFS") throw error;
  }
}

/** Links are not followed: what they lead to is not ours. */
async function removeTemporaries(directory: string): Promise<void> {
  for (const entry of (await unlessMissing(readdir(directory, { withFileTypes: true }))) ?? []) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await removeTemporaries(path);
    else if (entry.isFile() && TEMPORARY.test(entry.name) && (await isAbandoned(path)))
      await unlinkIfPresent(path);
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const facts = await unlessMissing(lstat(path));
  return facts !== undefined && Date.now() - facts.mtimeMs > ABANDONED;
}

async function writeSynced(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  await using file = await open(path, "wx", mode);
  await file.writeFile(content);
  await file.sync();
}

/** Flushes a directory, so that the names in it survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await directory.sync();
}

/**
 * The whole of a regular file of at most `limit` bytes. Opened without blocking, because a name that comes from
 * outside may be a FIFO. Throws BadImage for what is no regular file or longer; system errors pass as they are.
 */
export async function readBounded(path: string, limit: number): Promise<Buffer> {
  await using file = await openRegular(path);
  const { size } = await file.stat();
  if (size > limit) throw tooLarge(path, size, limit);
  return await readExactly(file, { path, position: 0, length: size });
}

function tooLarge(path: string, size: number, limit: number): GantryError {
  return new GantryError("BadImage", `${quoted(path)} has ${size} bytes, the limit is ${limit}`);
}

/**
 * Opens a regular file for reading; BadImage for anything else. `contested`: a process that nobody trusts may put
 * something else in its place at any time, so a symbolic link is not followed.
 */
export async function openRegular(path: string, { contested = false } = {}): Promise<FileHandle> {
  const file = await openWithoutWaiting(path, contested ? constants.O_NOFOLLOW : 0);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new GantryError("BadImage", `${quoted(path)} is not a regular file`);
}

async function openWithoutWaiting(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | flags);
  } catch (cause) {
    if (errnoOf(cause) !== "ELOOP") throw cause;
    throw new GantryError("BadImage", `${quoted(path)} is a symbolic link`, { cause });
  }
}

/** `length` bytes from `position` on; BadImage when the file ends before. */
export async function readExactly(
  file: FileHandle,
  part: { readonly path: string; readonly position: number; readonly length: number },
): Promise<Buffer> {
  const bytes = Buffer.alloc(part.length);
  let filled = 0;
  while (filled < part.length) {
    const { bytesRead } = await file.read(bytes, filled, part.length - filled, part.position + filled);
    if (bytesRead === 0) throw new GantryError("BadImage", `${quoted(part.path)} is truncated`);
    filled += bytesRead;
  }
  return bytes;
}

/** Whether anything has this name; a symbolic link is not followed. */
export async function exists(path: string): Promise<boolean> {
  return (await unlessMissing(lstat(path))) !== undefined;
}

/** The names in a directory, sorted; none when there is no such directory. */
export async function namesIn(directory: string): Promise<string[]> {
  return ((await unlessMissing(readdir(directory))) ?? []).sort();
}

/** The target of a symbolic link, or undefined when there is none of that name. */
export async function readLink(path: string): Promise<string | undefined> {
  return await unlessMissing(readlink(path));
}

/** Unlinks a file; true when it was there. */
export async function unlinkIfPresent(path: string): Promise<boolean> {
  return (await unlessMissing(unlink(path).then(() => true))) ?? false;
}

/** What the operation gives, or undefined when the file it is about does not exist: no file has a name that is too long. */
export async function unlessMissing<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENAMETOOLONG") return undefined;
    throw error;
  }
}

/** A full disk or an exhausted quota as StoreFull that names `directory`; everything else as it was thrown. */
export function storeError(error: unknown, directory: string): unknown {
  const errno = errnoOf(error);
  if (errno !== "ENOSPC" && errno !== "EDQUOT") return error;
  return new GantryError("StoreFull", `no space is left in ${quoted(directory)}`, {
    cause: error,
    hint: "remove an image with gantry image rm, or pods with gantry rm",
  });
}
