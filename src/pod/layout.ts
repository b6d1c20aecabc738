/** The directories of pods: what their names say about a pod's life (docs/on-disk-format.md). */
import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import type * as z from "zod";
import { errnoOf, GantryError } from "../base/errors.ts";
import { exists, unlessMissing } from "../base/file.ts";
import { bootId, processStartTime } from "../base/process.ts";
import { quoted } from "../base/text.ts";
import { type Paths, podDirectory, podsDirectory } from "../config/paths.ts";

const UUID = /^[0-9a-f]{32}$/;
const HIDDEN = /^\.(preparing|garbage)-([0-9a-f]{32})$/;

/** A directory below pods/. */
export type PodEntry = {
  readonly uuid: string;
  readonly directory: string;
  readonly phase: "preparing" | "prepared" | "garbage";
};

export function preparingDirectory(paths: Paths, uuid: string): string {
  return join(podsDirectory(paths), `.preparing-${uuid}`);
}

export function garbageDirectory(paths: Paths, uuid: string): string {
  return join(podsDirectory(paths), `.garbage-${uuid}`);
}

/**
 * Whether a pod has a directory, finished or not. The unfinished one is looked for first: the rename that finishes it
 * can then not slip between the two looks.
 */
export async function podExists(paths: Paths, uuid: string): Promise<boolean> {
  return (await exists(preparingDirectory(paths, uuid))) || (await exists(podDirectory(paths, uuid)));
}

/** Every pod that is there, whatever its phase; what has another form of name is nobody's. */
export async function podEntries(paths: Paths): Promise<PodEntry[]> {
  const base = podsDirectory(paths);
  return namesIn(base)
    .sort()
    .flatMap((name): PodEntry[] => {
      const directory = `${base}/${name}`;
      if (UUID.test(name)) return [{ uuid: name, directory, phase: "prepared" }];
      const [, phase, uuid] = HIDDEN.exec(name) ?? [];
      return uuid === undefined ? [] : [{ uuid, directory, phase: phase as "preparing" | "garbage" }];
    });
}

/** At once: a listing waits longer for a thread than for the directory. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

/**
 * Whose work a `.preparing-` directory is: the target of the symbolic link `owner` in it. An id alone is reused, with
 * start time and boot it names one process for good.
 */
export async function ownerWord(): Promise<string> {
  const [start, boot] = await Promise.all([processStartTime(process.pid), bootId()]);
  return `${process.pid}:${start ?? 0}:${boot}`;
}

/** Whether the process that prepares in `directory` still lives. */
export async function preparerLives(directory: string): Promise<boolean> {
  const word = await unlessMissing(readlink(join(directory, "owner")));
  const [pid, start, boot] = (word ?? "").split(":");
  if (pid === undefined || boot !== (await bootId())) return false;
  return (await processStartTime(Number(pid))) === Number(start);
}

/** Documents as they were last read: the agent is asked for the same ones again and again. */
const remembered = new Map<string, { readonly version: string; readonly document: unknown }>();
const MAX_REMEMBERED = 4096;
const MAX_SIZE = 16 << 10;

/**
 * Reads and checks one of a pod's documents. Throws StoreCorrupt; undefined when it is not there. A path has one schema,
 * and nobody changes what is returned.
 */
export async function readDocument<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return undefined;
  const version = versionOf(facts);
  const known = remembered.get(path);
  if (known?.version === version) return known.document as T;
  const text = readIfPresent(path);
  if (text === undefined) return undefined;
  const document = parse(text, path, schema);
  // What was replaced between the two looks is remembered as older than it is, and read again.
  remember(path, { version, document, size: facts.size });
  return document;
}

/** A document is replaced by a rename: another inode, even where two writes share a tick of the clock. */
function versionOf({ ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${ino}:${size}:${mtimeMs}:${ctimeMs}`;
}

type Reading = { readonly version: string; readonly document: unknown; readonly size: number };

function remember(path: string, { version, document, size }: Reading): void {
  if (size > MAX_SIZE) return;
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(path, { version, document });
}

function parse<T>(text: string, path: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new GantryError("StoreCorrupt", `${quoted(path)} is damaged`, { cause });
  }
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
