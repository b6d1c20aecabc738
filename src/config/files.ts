/**
 * Files of the configuration: found below each of the configuration's directories, the first of a name masking the
 * others, as systemd does it. An empty file, or a link to /dev/null, masks and says nothing itself.
 */
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, GantryError } from "../base/errors.ts";
import { openRegular, readExactly, unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";

/** Directories of the configuration, the one that goes first in front. */
export type Roots = readonly string[];

export type Found = { readonly name: string; readonly path: string; readonly masked: boolean };

/** The files of `directory` (relative to the roots) whose names `wanted` accepts, sorted by name. Throws BadConfig. */
export async function findFiles(
  roots: Roots,
  directory: string,
  wanted: (name: string) => boolean,
): Promise<Found[]> {
  const found = new Map<string, Found>();
  for (const root of roots) {
    for (const name of await filesOf(join(root, directory))) {
      if (!found.has(name) && wanted(name)) found.set(name, await lookAt(join(root, directory, name), name));
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The same where no directory below the roots is a link: what counts for the trust generation, which descends into none. */
export async function findOwnFiles(
  roots: Roots,
  directory: string,
  wanted: (name: string) => boolean,
): Promise<Found[]> {
  for (const root of roots) await refuseLinks(root, directory);
  return await findFiles(roots, directory, wanted);
}

async function refuseLinks(root: string, directory: string): Promise<void> {
  let path = root;
  for (const segment of directory.split("/")) {
    path = join(path, segment);
    const facts = await unlessMissing(lstat(path));
    if (facts?.isSymbolicLink()) throw linkedDirectory(path);
    if (!facts?.isDirectory()) return;
  }
}

export function linkedDirectory(path: string): GantryError {
  return badConfig(path, "is a symbolic link; a directory that decides about trust lies here itself");
}

/** The bytes of a regular file that only root (or the caller) may write. Throws BadConfig. */
export async function readConfiguration(path: string, limit: number): Promise<Buffer> {
  try {
    await using file = await openRegular(path);
    const { size, uid, mode } = await file.stat();
    if (size > limit) throw badConfig(path, `has ${size} bytes, the limit is ${limit}`);
    if (uid !== 0 && uid !== process.getuid?.()) throw badConfig(path, `belongs to user ${uid}, not to root`);
    if ((mode & 0o002) !== 0) throw badConfig(path, "may be written by everybody");
    return await readExactly(file, { path, position: 0, length: size });
  } catch (error) {
    if (error instanceof GantryError && error.kind === "BadConfig") throw error;
    throw badConfig(
      path,
      error instanceof GantryError ? "is not a regular file" : `can't be read: ${errnoOf(error)}`,
      error,
    );
  }
}

/** A BadConfig that names the file. */
export function badConfig(path: string, problem: string, cause?: unknown): GantryError {
  return new GantryError("BadConfig", `${quoted(path)} ${problem}`, cause === undefined ? {} : { cause });
}

async function filesOf(directory: string): Promise<string[]> {
  try {
    const entries = (await unlessMissing(readdir(directory, { withFileTypes: true }))) ?? [];
    return entries
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith("."))
      .map(({ name }) => name);
  } catch (error) {
    throw badConfig(directory, `can't be read: ${errnoOf(error)}`, error);
  }
}

/** No links but the one that masks: what a link leads to may change without anybody looking here. */
async function lookAt(path: string, name: string): Promise<Found> {
  const facts = await lstat(path);
  if (facts.isSymbolicLink()) {
    if ((await readlink(path)) === "/dev/null") return { name, path, masked: true };
    throw badConfig(path, "is a symbolic link; only one to /dev/null, which masks, is allowed");
  }
  if (!facts.isFile()) throw badConfig(path, "is not a regular file");
  return { name, path, masked: facts.size === 0 };
}
