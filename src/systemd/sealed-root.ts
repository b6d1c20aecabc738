/**
 * The directory that a sealed service has for its root (confinement.ts). What is a link on the host is one in there, and small files
 * are copied: systemd 252 reads the whole table of mounts some five times for every single bind, before the program begins.
 */
import { chmod, lstat, mkdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unlessMissing } from "../base/file.ts";
import type { Bind } from "./confinement.ts";

/** What a program of the distribution needs to start: directories, and where the loader looks for libraries. */
const PROGRAM_DIRECTORIES = ["/usr", "/bin", "/lib", "/lib64"];
const PROGRAM_FILES = ["ld.so.cache"];

/**
 * Fills an empty directory with the links that this host has, and the copies of its `files` below /etc, and resolves to what is left
 * to be bound. Rejects as the file system does.
 */
export async function furnishRoot(root: string, files: readonly string[] = []): Promise<readonly Bind[]> {
  await makeReadable(join(root, "etc"));
  const [directories] = await Promise.all([
    Promise.all(PROGRAM_DIRECTORIES.map((path) => linkOrBind(root, path))),
    ...[...PROGRAM_FILES, ...files].map((name) => copy(root, name)),
  ]);
  return directories.flat();
}

async function linkOrBind(root: string, path: string): Promise<readonly Bind[]> {
  const status = await unlessMissing(lstat(path));
  if (status === undefined) return [];
  if (!status.isSymbolicLink()) return [{ from: path, to: path }];
  await symlink(await readlink(path), join(root, path));
  return [];
}

async function copy(root: string, name: string): Promise<void> {
  const content = await unlessMissing(readFile(join("/etc", name)));
  if (content === undefined) return;
  const target = join(root, "etc", name);
  await writeFile(target, content);
  await chmod(target, 0o444);
}

/** The mode is not left to the umask: who runs in there is nobody's user. */
async function makeReadable(directory: string): Promise<void> {
  await mkdir(directory);
  await chmod(directory, 0o755);
}
