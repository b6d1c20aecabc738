/** The end of pods: stop, signal, remove. */
import { rename } from "node:fs/promises";
import { errnoOf, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { type Paths, podDirectory } from "../config/paths.ts";
import { removeTree } from "../store/tree.ts";
import { removeLogFields } from "../systemd/log-fields.ts";
import type { Systemd } from "../systemd/systemd.ts";
import { releaseIds } from "./ids.ts";
import { garbageDirectory } from "./layout.ts";
import { nameOfPod, releaseName } from "./names.ts";
import { isAlive } from "./state.ts";
import type { Bus, PodStatus, StoredPod } from "./status.ts";
import { installedUnits, podUnits } from "./unit-name.ts";

const SIGKILL = 9;

/** Stops a running pod: its apps get their stop signal, with `force` all processes SIGKILL. Throws SystemdFailed. */
export async function stopPod(systemd: Systemd, pod: StoredPod, options: { force: boolean }): Promise<void> {
  const { unit, apps } = pod.record;
  if (options.force) {
    await Promise.all(apps.map((app) => systemd.killUnit(app.unit, { signal: SIGKILL })));
  }
  const result = await systemd.stopUnit(unit);
  if (result === "done") return;
  throw new GantryError(
    "SystemdFailed",
    `pod ${quoted(podName(pod))} did not stop: its stop job was ${result}`,
  );
}

/** Signals the main process of one app, or of all. Throws NoSuchApp, PodNotRunning. */
export async function killPod(
  systemd: Systemd,
  pod: StoredPod,
  { app, signal }: { readonly app?: string | undefined; readonly signal: number },
): Promise<void> {
  const apps = app === undefined ? pod.record.apps : pod.record.apps.filter(({ name }) => name === app);
  if (apps.length === 0) throw noSuchApp(pod, app ?? "");
  const reached = await Promise.all(
    apps.map(({ unit }) => systemd.killUnit(unit, { whom: "main", signal }).catch(ifNoProcess)),
  );
  if (!reached.includes(true)) throw notRunning(pod, app);
}

/** systemd refuses to signal a main process that is not there; the other apps of a pod may have one. */
function ifNoProcess(error: unknown): boolean {
  if (error instanceof GantryError && error.kind === "SystemdFailed") return false;
  throw error;
}

function noSuchApp(pod: StoredPod, app: string): GantryError {
  const names = pod.record.apps.map(({ name }) => name).join(", ");
  return new GantryError("NoSuchApp", `pod ${quoted(podName(pod))} has no app ${quoted(app)}`, {
    hint: `its apps: ${names}`,
  });
}

function notRunning(pod: StoredPod, app: string | undefined): GantryError {
  const what =
    app === undefined ? `pod ${quoted(podName(pod))}` : `app ${quoted(app)} of pod ${quoted(podName(pod))}`;
  return new GantryError("PodNotRunning", `${what} is not running`);
}

/**
 * Removes a pod that does not run: one rename takes it out of sight, the rest can be done by anybody later. Throws
 * PodBusy for a running pod.
 */
export async function removePod(
  paths: Paths,
  pod: StoredPod,
  around: { status: PodStatus; bus: Bus },
): Promise<void> {
  const { name, uuid } = pod.record;
  if (isAlive(around.status.state)) {
    throw new GantryError("PodBusy", `pod ${quoted(podName(pod))} is running`, {
      hint: `gantry stop ${name ?? uuid}`,
    });
  }
  if (pod.facts.started !== undefined) await forgetUnits(await around.bus(), pod);
  await discardPod(paths, pod);
}

/** Removes a pod of which the caller knows that it does not run. */
export async function discardPod(paths: Paths, pod: StoredPod): Promise<void> {
  await discard(paths, pod, [pod.record.unit, ...pod.record.apps.map((app) => app.unit)]);
}

/** The same for an installed pod whose name another one has by now, and the units of those names with it. */
export async function discardReplaced(paths: Paths, pod: StoredPod): Promise<void> {
  await discard(paths, pod, []);
}

async function discard(paths: Paths, pod: StoredPod, units: readonly string[]): Promise<void> {
  const { uuid, name, userns } = pod.record;
  const garbage = garbageDirectory(paths, uuid);
  await moveAway(pod, garbage);
  // Before the name is free: the next pod of that name has units of the same names.
  await removeLogFields(units);
  if (name !== undefined) await releaseName(paths, name, uuid);
  await removeTree(garbage);
  await releaseIds(paths, uuid, userns);
}

/**
 * Removes a pod whose documents cannot be read. Which units it has is known by its name only; its id range goes with the
 * next garbage collection.
 */
export async function removeDamaged(paths: Paths, uuid: string, systemd: Systemd): Promise<void> {
  const name = await nameOfPod(paths, uuid);
  const installed = name === undefined ? [] : [installedUnits(name).sandbox];
  for (const unit of [podUnits(name ?? uuid).sandbox, ...installed]) await systemd.stopUnit(unit);
  const garbage = garbageDirectory(paths, uuid);
  await rename(podDirectory(paths, uuid), garbage);
  if (name !== undefined) await releaseName(paths, name, uuid);
  await removeTree(garbage);
}

/**
 * Failed units stay loaded until somebody says that they were seen. The slice goes by itself as a rule; but systemd 252 looks
 * whether it is needed when a unit in it ends, and not once more when a job that still wanted that unit is dropped.
 */
export async function forgetUnits(systemd: Systemd, pod: StoredPod): Promise<void> {
  const { unit, slice } = pod.record;
  await Promise.all([
    forgetApps(systemd, pod),
    systemd.resetFailedUnit(unit),
    systemd.resetFailedUnit(slice),
  ]);
  await systemd.stopUnit(slice);
}

/** Those of the apps alone: a pod that takes this one's place may lack some, and its slice is not free until they are gone. */
export async function forgetApps(systemd: Systemd, { record }: StoredPod): Promise<void> {
  await Promise.all(record.apps.map((app) => systemd.resetFailedUnit(app.unit)));
}

async function moveAway(pod: StoredPod, garbage: string): Promise<void> {
  try {
    await rename(pod.entry.directory, garbage);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    throw new GantryError("NoSuchPod", `pod ${quoted(podName(pod))} was removed by somebody else`);
  }
}

export function podName({ record }: StoredPod): string {
  return record.name ?? record.uuid;
}
