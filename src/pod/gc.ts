/** Garbage collection of pods (docs/pod-lifecycle.md). It takes no lock: every step is a rename or is repeatable. */
import { readlink, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, GantryError } from "../base/errors.ts";
import { unlessMissing } from "../base/file.ts";
import type { Paths } from "../config/paths.ts";
import { removeTree } from "../store/tree.ts";
import { collectLogFields } from "../systemd/log-fields.ts";
import { collectAccepted } from "./acceptance.ts";
import { type Standing, standingOf } from "./definition.ts";
import { discardReplaced, removePod } from "./end.ts";
import { collectIds } from "./ids.ts";
import { garbageDirectory, type PodEntry, podEntries, podExists, preparerLives } from "./layout.ts";
import { collectNames } from "./names.ts";
import { isAlive } from "./state.ts";
import { type Bus, type PodStatus, podStatuses, readPod } from "./status.ts";

/** Durations in milliseconds. */
export type GcOptions = {
  /** How long an exited pod stays. */
  readonly gracePeriod: number;
  /** How long a prepared pod waits for its start. */
  readonly expirePrepared: number;
  /** Only say what would go. */
  readonly dryRun: boolean;
};

export type Removal = {
  readonly uuid: string;
  readonly why: "exited" | "expired" | "aborted" | "garbage";
};

export type Collection = {
  readonly removed: readonly Removal[];
  /** Exited pods within their grace period. */
  readonly kept: readonly string[];
  /** What could not be read, and what that keeps: for people. */
  readonly notes: readonly string[];
  /** What left the store with them. */
  readonly layers?: number;
  readonly blobs?: number;
  readonly operations?: number;
};

/** A preparation whose process has not even said who it is gets this long, in milliseconds. */
const NAMELESS_GRACE = 60_000;

/** Removes what nobody needs. Throws SystemdFailed, StoreCorrupt. */
export async function collectPods(paths: Paths, bus: Bus, options: GcOptions): Promise<Collection> {
  const entries = await podEntries(paths);
  const unfinished = await inOrder(entries, (entry) => collectUnfinished(paths, entry, options));
  const finished = await collectFinished(paths, bus, { entries, options });
  if (!options.dryRun) {
    const alive = (uuid: string) => podExists(paths, uuid);
    await collectNames(paths, alive);
    await collectIds(paths, alive);
    await collectAccepted(paths);
    await collectLogFields(bus, options.gracePeriod);
  }
  return { removed: [...unfinished.flat(), ...finished.removed], kept: finished.kept, notes: finished.notes };
}

async function inOrder<T, R>(items: readonly T[], step: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await step(item));
  return results;
}

async function collectUnfinished(paths: Paths, entry: PodEntry, options: GcOptions): Promise<Removal[]> {
  if (entry.phase === "prepared") return [];
  if (entry.phase === "preparing" && !(await isAbandoned(entry, options))) return [];
  const why = entry.phase === "preparing" ? "aborted" : "garbage";
  if (!options.dryRun) await removeUnfinished(paths, entry);
  return [{ uuid: entry.uuid, why }];
}

async function isAbandoned({ directory }: PodEntry, { gracePeriod }: GcOptions): Promise<boolean> {
  if ((await unlessMissing(readlink(join(directory, "owner")))) !== undefined)
    return !(await preparerLives(directory));
  const found = await unlessMissing(stat(directory));
  return found !== undefined && Date.now() - found.mtimeMs > Math.min(NAMELESS_GRACE, gracePeriod);
}

async function removeUnfinished(paths: Paths, { uuid, directory, phase }: PodEntry): Promise<void> {
  const garbage = garbageDirectory(paths, uuid);
  if (phase === "preparing") {
    try {
      await rename(directory, garbage);
    } catch (error) {
      // It has become a pod in the last moment.
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
  }
  await removeTree(garbage);
}

type Finished = { readonly entries: readonly PodEntry[]; readonly options: GcOptions };

async function collectFinished(paths: Paths, bus: Bus, { entries, options }: Finished): Promise<Collection> {
  const removed: Removal[] = [];
  const kept: string[] = [];
  const notes: string[] = [];
  const prepared = entries.filter((entry) => entry.phase === "prepared");
  for (const status of await podStatuses(prepared, bus)) {
    const { standing, note } = await lookAtStamp(paths, status.uuid);
    if (note !== undefined) notes.push(note);
    const why = standing === "installed" ? undefined : reasonToGo(ownStatus(status, standing), options);
    if (why === undefined && status.state === "exited") kept.push(status.uuid);
    if (why === undefined) continue;
    if (!options.dryRun) await removeFinished(paths, bus, { status, entries: prepared, standing });
    removed.push({ uuid: status.uuid, why });
  }
  return { removed, kept, notes };
}

/** A stamp that cannot be read keeps its pod, which may be installed, and nothing else. */
async function lookAtStamp(
  paths: Paths,
  uuid: string,
): Promise<{ standing: Standing | undefined; note?: string }> {
  try {
    return { standing: await standingOf(paths, uuid) };
  } catch (error) {
    if (!(error instanceof GantryError) || error.kind !== "StoreCorrupt") throw error;
    return { standing: "installed", note: `kept pod ${uuid}: ${error.message}` };
  }
}

/** systemd tells of the units of a replaced pod what its successor does by the same names. */
function ownStatus(status: PodStatus, standing: Standing | undefined): PodStatus {
  return standing === "replaced" && isAlive(status.state) ? { ...status, state: "exited" } : status;
}

function reasonToGo(
  status: PodStatus,
  { gracePeriod, expirePrepared }: GcOptions,
): Removal["why"] | undefined {
  const age = (since: number | undefined) => Date.now() - (since ?? 0) / 1000;
  if (status.state === "exited" && age(status.ended ?? status.started) >= gracePeriod) return "exited";
  if (status.state === "prepared" && age(status.created) >= expirePrepared) return "expired";
  return undefined;
}

type Going = {
  readonly status: PodStatus;
  readonly entries: readonly PodEntry[];
  readonly standing: Standing | undefined;
};

async function removeFinished(paths: Paths, bus: Bus, { status, entries, standing }: Going): Promise<void> {
  const entry = entries.find(({ uuid }) => uuid === status.uuid);
  const pod = entry === undefined ? undefined : await readPod(entry);
  if (pod === undefined) return;
  if (standing === "replaced") await discardReplaced(paths, pod);
  else await removePod(paths, pod, { status, bus });
}
