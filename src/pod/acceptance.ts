/**
 * Unsigned images that the operator accepted for an installed pod, each an empty file `accepted/<name>/<image id>`: known
 * for as long as it is installed, whatever becomes of the pods that are prepared for it.
 */
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { storeError, syncDirectory, unlessMissing } from "../base/file.ts";
import { acceptedDirectory, type Paths } from "../config/paths.ts";
import { findDefinition } from "./definition.ts";

/** Milliseconds; what is accepted is written down before its definition has its place, and not long before. */
const GRACE = 60_000;

/** Ids of the images that were accepted for the pod. */
export async function acceptedImages(paths: Paths, name: string): Promise<string[]> {
  return (await unlessMissing(readdir(directoryOf(paths, name)))) ?? [];
}

/** Adds images to those that were accepted, durably. Throws StoreFull. */
export async function acceptImages(paths: Paths, name: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const directory = directoryOf(paths, name);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const id of ids) await writeFile(join(directory, id), "", { mode: 0o600 });
    await syncDirectory(directory);
    await syncDirectory(acceptedDirectory(paths));
  } catch (error) {
    throw storeError(error, directory);
  }
}

/** Takes the operator's word back, with the definition that it was about. */
export async function forgetAccepted(paths: Paths, name: string): Promise<void> {
  await rm(directoryOf(paths, name), { recursive: true, force: true });
}

/** Forgets what was accepted for pods that are not installed any more. */
export async function collectAccepted(paths: Paths): Promise<void> {
  for (const name of (await unlessMissing(readdir(acceptedDirectory(paths)))) ?? []) {
    if ((await findDefinition(name)) !== undefined) continue;
    const found = await unlessMissing(stat(directoryOf(paths, name)));
    if (found !== undefined && Date.now() - found.mtimeMs > GRACE) await forgetAccepted(paths, name);
  }
}

function directoryOf(paths: Paths, name: string): string {
  return join(acceptedDirectory(paths), name);
}
