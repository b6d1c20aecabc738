/** Where an export puts what it has made: the file or directory that the user names, whole or not at all. */

import { write as writeTo } from "node:fs";
import { access, constants, type FileHandle, lstat, mkdir, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { errnoOf, GantryError, outputError } from "../base/errors.ts";
import { storeError, syncDirectory, unlessMissing } from "../base/file.ts";
import { randomHex } from "../base/random.ts";
import { quoted } from "../base/text.ts";
import { accessError } from "./store.ts";
import { removeTree } from "./tree.ts";

/** Instead of a path. */
export const STANDARD_OUTPUT = "-";

export type OutletOptions = { readonly overwrite: boolean };

/** Throws FileExists unless `path` is free, or may be overwritten and is a file; AccessDenied where nothing can be written. */
export async function requireFreeFile(path: string, { overwrite }: OutletOptions): Promise<void> {
  if (path === STANDARD_OUTPUT) return;
  await requireWritable(dirname(path));
  const found = await look(path);
  if (found === undefined || (overwrite && found.isFile())) return;
  throw taken(path, found.isFile() ? "--overwrite replaces it" : "it is not a file");
}

/**
 * Writes a file beside its place, under a temporary name, and renames it. The directory may be somebody else's, who can
 * put a link there under any name: `write` gets the file that was made, or standard output. Throws FileExists, StoreFull, AccessDenied.
 */
export async function writeOutput(
  path: string,
  options: OutletOptions,
  write: (output: Writable) => Promise<void>,
): Promise<void> {
  if (path === STANDARD_OUTPUT) return await write(standardOutput());
  await requireFreeFile(path, options);
  const temporary = join(dirname(path), `.${basename(path).slice(0, 64)}.${randomHex(6)}`);
  try {
    await using file = await open(temporary, "wx", 0o644);
    await write(writableTo(file));
    await file.sync();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await unlessMissing(unlink(temporary)).catch(() => {});
    throw accessError(storeError(error, dirname(path)), path);
  }
}

/** Not a stream of Node's own: that one would be closed by who has written the last. */
function standardOutput(): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      writeWhole(1, chunk).then(
        () => done(),
        (error) => done(outputError(error)),
      );
    },
  });
}

async function writeWhole(fd: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += (await promisify(writeTo)(fd, bytes, at)).bytesWritten;
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") throw error;
      // Somebody else made the descriptor non-blocking: wait for the reader.
      await sleep(5);
    }
  }
}

/** Unlike a handle's own stream, it leaves the file open, which is still to be synced. */
function writableTo(file: FileHandle): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      file.writeFile(chunk).then(() => done(), done);
    },
  });
}

/** The same of a directory, which the root is never. */
export async function requireFreeDirectory(path: string, { overwrite }: OutletOptions): Promise<void> {
  if (resolve(path) === "/") {
    throw new GantryError("FileExists", 'the directory "/" is this system: it would be deleted');
  }
  await requireWritable(dirname(path));
  const found = await look(path);
  if (found === undefined || (overwrite && found.isDirectory())) return;
  throw taken(path, found.isDirectory() ? "--overwrite replaces it" : "it is not a directory");
}

/**
 * Has a directory made beside its place and renames it. `make` fills an empty directory, and names in it what shall be
 * at `path`. Throws FileExists, StoreFull, AccessDenied.
 */
export async function makeOutput(
  path: string,
  options: OutletOptions,
  make: (scratch: string) => Promise<string>,
): Promise<void> {
  await requireFreeDirectory(path, options);
  const scratch = join(dirname(path), `.${basename(path).slice(0, 64)}.${randomHex(6)}`);
  try {
    await mkdir(scratch, { mode: 0o700 });
    const made = await make(scratch);
    await putInPlace(made, path, options.overwrite ? `${scratch}.replaced` : undefined);
  } catch (error) {
    throw accessError(storeError(error, dirname(path)), path);
  } finally {
    await removeTree(scratch);
  }
}

/** What is there goes to `aside` until the new one is in its place, and returns if that fails. */
async function putInPlace(made: string, path: string, aside: string | undefined): Promise<void> {
  const replaced = aside !== undefined && (await unlessMissing(rename(path, aside).then(() => true)));
  try {
    await rename(made, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    if (replaced) await putBack(aside, path);
    throw error;
  }
  if (replaced) await removeTree(aside);
}

async function putBack(aside: string, path: string): Promise<void> {
  try {
    await rename(aside, path);
  } catch (cause) {
    const message = `${quoted(path)} was taken meanwhile: what was there before is at ${quoted(aside)}`;
    throw new GantryError("FileExists", message, { cause });
  }
}

async function requireWritable(directory: string): Promise<void> {
  try {
    // With the slash a file is none.
    await access(`${directory}/`, constants.W_OK);
  } catch (cause) {
    throw new GantryError("AccessDenied", `nothing can be written to ${quoted(directory)}`, { cause });
  }
}

async function look(path: string) {
  try {
    return await unlessMissing(lstat(path));
  } catch (error) {
    throw accessError(error, path);
  }
}

function taken(path: string, hint: string): GantryError {
  return new GantryError("FileExists", `${quoted(path)} exists already`, { hint });
}
