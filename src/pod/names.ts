/** The registry of pod names, `names/<name>`: a symbolic link claims a name for one pod (docs/on-disk-format.md). */
import { readdir, rename, symlink, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { errnoOf, GantryError } from "../base/errors.ts";
import { readLink, syncDirectory, unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { namesDirectory, type Paths } from "../config/paths.ts";
import { podExists } from "./layout.ts";
import { AC_NAME } from "./words.ts";

/** Claims a name for a pod. Throws PodExists when a pod that is there has it. */
export async function claimName(paths: Paths, name: string, uuid: string): Promise<void> {
  const link = join(namesDirectory(paths), name);
  for (;;) {
    if (await tryLink(link, uuid)) return;
    const owner = await ownerOf(link);
    if (owner !== undefined && (await podExists(paths, owner))) throw nameTaken(name, owner);
    // Whoever claimed it has gone without a trace: the claim is void.
    await unlessMissing(unlink(link));
  }
}

/** Gives a name to a pod whoever has it: an installed pod that was prepared anew. One rename, durable. */
export async function takeName(paths: Paths, name: string, uuid: string): Promise<void> {
  const link = join(namesDirectory(paths), name);
  const fresh = join(namesDirectory(paths), `.${uuid}`);
  await symlink(`../pods/${uuid}`, fresh);
  await rename(fresh, link);
  await syncDirectory(namesDirectory(paths));
}

async function tryLink(link: string, uuid: string): Promise<boolean> {
  try {
    await symlink(`../pods/${uuid}`, link);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

function nameTaken(name: string, owner: string): GantryError {
  return new GantryError("PodExists", `a pod named ${quoted(name)} exists: ${owner}`, {
    hint: `remove it with gantry rm ${name}`,
  });
}

/** The UUID of the pod that has the name, or undefined. */
export async function podOfName(paths: Paths, name: string): Promise<string | undefined> {
  return await ownerOf(join(namesDirectory(paths), name));
}

/** The name that leads to the pod, or undefined. */
export async function nameOfPod(paths: Paths, uuid: string): Promise<string | undefined> {
  const names = (await unlessMissing(readdir(namesDirectory(paths)))) ?? [];
  for (const name of names) if (AC_NAME.test(name) && (await podOfName(paths, name)) === uuid) return name;
  return undefined;
}

async function ownerOf(link: string): Promise<string | undefined> {
  const target = await readLink(link);
  return target === undefined ? undefined : basename(target);
}

/** Gives a name back if it is the pod's. */
export async function releaseName(paths: Paths, name: string, uuid: string): Promise<void> {
  const link = join(namesDirectory(paths), name);
  if ((await ownerOf(link)) === uuid) await unlessMissing(unlink(link));
}

/** Gives back every name whose pod is not `alive`; returns the number of them. */
export async function collectNames(paths: Paths, alive: (uuid: string) => Promise<boolean>): Promise<number> {
  const names = (await unlessMissing(readdir(namesDirectory(paths)))) ?? [];
  let released = 0;
  for (const name of names) {
    const owner = await podOfName(paths, name);
    if (owner === undefined || (await alive(owner))) continue;
    await releaseName(paths, name, owner);
    released += 1;
  }
  return released;
}
