/**
 * Definitions of installed pods: pod manifests in /etc/gantry/pods and /usr/lib/gantry/pods, and the stamp by which the
 * native start sees that a prepared pod still is what its definition says (native/gantry/installed.c reads it).
 */
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { exists, readLink, temporaryFor, unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { DEFINITION_DIRECTORIES, installedLink, type Paths, podDirectory } from "../config/paths.ts";
import { readDocument } from "./layout.ts";
import { podOfName } from "./names.ts";
import { isName } from "./words.ts";

/** The stamp's file in the pod's directory. */
export const DEFINITION_STAMP = "definition.json";

/** 1 MiB, as the launch plan's reader allows for a document. */
const LIMIT = 1 << 20;

export const Definition = z.strictObject({
  version: z.literal(1),
  path: z.string(),
  /** `<inode>:<size>:<modification time in ns>` of the file that was read. */
  stamp: z.string(),
});
export type Definition = z.infer<typeof Definition>;

export type DefinitionText = { readonly path: string; readonly stamp: string; readonly text: string };

/** The path of a pod's definition: the first of the directories that has it. Throws NoSuchPod. */
export async function definitionPath(name: string): Promise<string> {
  const path = await findDefinition(name);
  if (path !== undefined) return path;
  throw new GantryError("NoSuchPod", `no pod ${quoted(name)} is installed`, {
    hint: `gantry install ${name}.json`,
  });
}

/** The same, or undefined. */
export async function findDefinition(name: string): Promise<string | undefined> {
  // Callers are authorized by this name: no other spelling of it may lead to the file.
  for (const directory of isName(name) ? DEFINITION_DIRECTORIES : []) {
    const path = join(directory, `${name}.json`);
    if ((await unlessMissing(stat(path))) !== undefined) return path;
  }
  return undefined;
}

/** Where the definition of a pod lies until the pod is prepared: beside its place, which one rename then makes it. */
export function draftPath(name: string): string {
  return temporaryFor(join(DEFINITION_DIRECTORIES[0], `${name}.json`));
}

export type DefinitionFile = { readonly name: string; readonly path: string };

/** All definitions by name, each the one that counts. */
export async function listDefinitions(): Promise<DefinitionFile[]> {
  const found = new Map<string, DefinitionFile>();
  for (const directory of DEFINITION_DIRECTORIES) {
    for (const file of (await unlessMissing(readdir(directory))) ?? []) {
      const name = basename(file, ".json");
      if (!file.endsWith(".json") || !isName(name) || found.has(name)) continue;
      found.set(name, { name, path: join(directory, file) });
    }
  }
  return [...found.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/**
 * Of a pod that was prepared from a definition: `installed` while that is there and the name leads to the pod, which then
 * waits for its next start, and `replaced` when the name has gone to another and gantry@<name>.service runs that, if any.
 */
export type Standing = "installed" | "replaced";

/** Undefined for any other pod. Throws StoreCorrupt. */
export async function standingOf(paths: Paths, uuid: string): Promise<Standing | undefined> {
  const directory = podDirectory(paths, uuid);
  const stamp = await readDocument(join(directory, DEFINITION_STAMP), Definition);
  if (stamp === undefined) return undefined;
  const name = basename(stamp.path, ".json");
  const owner = await podOfName(paths, name);
  if (owner === uuid) return (await exists(stamp.path)) ? "installed" : undefined;
  return (await readLink(installedLink(paths, name))) === directory ? undefined : "replaced";
}

/** Reads a definition with its stamp. Throws BadManifest for what is no regular file or too large, AccessDenied. */
export async function readDefinition(path: string): Promise<DefinitionText> {
  await using file = await openDefinition(path);
  const facts = await file.stat({ bigint: true });
  if (!facts.isFile() || facts.size > LIMIT) {
    throw new GantryError("BadManifest", `${quoted(path)} is not a file of at most ${LIMIT} bytes`);
  }
  const stamp = `${facts.ino}:${facts.size}:${facts.mtimeNs}`;
  return { path, stamp, text: await file.readFile("utf8") };
}

async function openDefinition(path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (cause) {
    const reason = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const kind = reason === "EACCES" ? "AccessDenied" : "BadManifest";
    throw new GantryError(kind, `${quoted(path)} can't be read: ${reason}`, { cause });
  }
}
