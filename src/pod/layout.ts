/** The directories of pods: what their names say about a pod's life (docs/on-disk-format.md). */
import { existsSync, readFileSync } from "node:fs";
import { readdir, readlink } from "node:fs/promises";
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
  const names = (await unlessMissing(readdir(podsDirectory(paths)))) ?? [];
  return names.sort().flatMap((name): PodEntry[] => {
    if (UUID.test(name)) return [{ uuid: name, directory: podDirectory(paths, name), phase: "prepared" }];
    const [, phase, uuid] = HIDDEN.exec(name) ?? [];
    if (uuid === undefined) return [];
    return [{ uuid, directory: join(podsDirectory(paths), name), phase: phase as "preparing" | "garbage" }];
  });
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

/** Reads and checks one of a pod's documents. Throws StoreCorrupt; undefined when it is not there. */
export async function readDocument<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = readIfPresent(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new GantryError("StoreCorrupt", `${quoted(path)} is damaged`, { cause });
  }
}

/** Asked first whether it is there: most facts are not, and an exception costs more than all the rest. */
function readIfPresent(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
