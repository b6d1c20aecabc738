/** The files of this tree, without what is built or installed. */
import { readdir } from "node:fs/promises";

const OUTSIDE = /(^|\/)(node_modules|build|\.git)(\/|$)/;

/** Paths of the files below `folder` (relative to the root of the tree) that `filter` accepts, sorted. */
export async function files(folder: string, filter = /./): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.replace(/^\.\//, ""))
    .filter((path) => !OUTSIDE.test(path) && filter.test(path))
    .sort();
}

/** Names of the folders directly below `folder`. */
export async function folders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
