/**
 * The registry of id ranges, `ids/<index>`: each pod's user namespace has one of its own (docs/on-disk-format.md). A
 * claim is a symbolic link, because that is there with its owner or not at all, on a full disk and after a power cut.
 */
import { readdir, symlink, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { errnoOf, GantryError } from "../base/errors.ts";
import { readLink, unlessMissing } from "../base/file.ts";
import { idsDirectory, type Paths } from "../config/paths.ts";
import type { IdRange } from "../stage1/words.ts";

/** Above systemd's container range and below its foreign range (UIDS-GIDS of systemd's documentation). */
const FIRST = 0x7000_0000;
const SIZE = 65_536;
const COUNT = 4094;

/** Claims a range for a pod. Throws StoreFull when all are taken. */
export async function claimIds(paths: Paths, uuid: string): Promise<IdRange> {
  // Pods begin at different places, so that most claims succeed at once.
  const start = Number.parseInt(uuid.slice(0, 8), 16) % COUNT;
  for (let step = 0; step < COUNT; step += 1) {
    const index = (start + step) % COUNT;
    if (await claim(join(idsDirectory(paths), String(index)), uuid)) return rangeOf(index);
  }
  throw new GantryError("StoreFull", `all ${COUNT} id ranges are taken`, {
    hint: "remove pods with gantry gc",
  });
}

async function claim(path: string, uuid: string): Promise<boolean> {
  try {
    await symlink(`../pods/${uuid}`, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function ownerOf(path: string): Promise<string | undefined> {
  const target = await readLink(path);
  return target === undefined ? undefined : basename(target);
}

function rangeOf(index: number): IdRange {
  return { mode: "pod", base: FIRST + index * SIZE, size: SIZE };
}

/** Gives a pod's range back; nobody else's, whatever the record says. */
export async function releaseIds(paths: Paths, uuid: string, range: IdRange): Promise<void> {
  if (range.mode !== "pod") return;
  const path = join(idsDirectory(paths), String((range.base - FIRST) / SIZE));
  if ((await ownerOf(path)) === uuid) await unlessMissing(unlink(path));
}

/** Gives back every range whose pod is not `alive`; returns the number of them. */
export async function collectIds(paths: Paths, alive: (uuid: string) => Promise<boolean>): Promise<number> {
  const entries = (await unlessMissing(readdir(idsDirectory(paths)))) ?? [];
  let released = 0;
  for (const entry of entries) {
    const path = join(idsDirectory(paths), entry);
    const owner = await ownerOf(path);
    if (owner === undefined || (await alive(owner))) continue;
    await unlessMissing(unlink(path));
    released += 1;
  }
  return released;
}
