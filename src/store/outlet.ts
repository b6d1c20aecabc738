/** Where an export puts what it has made: the file or directory that the user names, whole or not at all. */
import { lstat, mkdir, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { GantryError } from "../base/errors.ts";
import { storeError, syncDirectory, unlessMissing } from "../base/file.ts";
import { randomHex } from "../base/random.ts";
import { quoted } from "../base/text.ts";
import { accessError } from "./store.ts";
import { removeTree } from "./tree.ts";

export type OutletOptions = { readonly overwrite: boolean };

/** Throws FileExists unless `path` is free, or may be overwritten and is a file. */
export async function requireFreeFile(path: string, { overwrite }: OutletOptions): Promise<void> {
  const found = await look(path);
  if (found === undefined || (overwrite && found.isFile())) return;
  throw taken(path, found.isFile() ? "--overwrite replaces it" : "it is not a file");
}

/** Writes a file beside its place, under a temporary name, and renames it. Throws FileExists, StoreFull, AccessDenied. */
export async function writeOutput(
  path: string,
  options: OutletOptions,
  write: (file: string) => Promise<void>,
): Promise<void> {
  await requireFreeFile(path, options);
  const temporary = join(dirname(path), `.${basename(path).slice(0, 64)}.${randomHex(6)}`);
  try {
    await using file = await open(temporary, "wx", 0o644);
    await write(temporary);
    await file.sync();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await unlessMissing(unlink(temporary)).catch(() => {});
    throw accessError(storeError(error, dirname(path)), path);
  }
}

/** Throws FileExists unless `path` is free, or may be overwritten and is a directory; BadReference for the root. */
export async function requireFreeDirectory(path: string, { overwrite }: OutletOptions): Promise<void> {
  if (resolve(path) === "/") {
    throw new GantryError("FileExists", 'the directory "/" is this system: it would be deleted');
  }
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
    if (options.overwrite) await unlessMissing(rename(path, join(scratch, "replaced")));
    await rename(made, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw accessError(storeError(error, dirname(path)), path);
  } finally {
    await removeTree(scratch);
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
