/** Pods that exist: looking at them, and ending them. */
import { constants } from "node:os";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { collectTemporaries } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { DEFINITION_DIRECTORIES } from "../config/paths.ts";
import { CONFIGURATION_DIRECTORIES, KEYSTORE_DIRECTORY, POLICY_DIRECTORY } from "../config/trust.ts";
import { logEvent } from "../journal/journal.ts";
import { forgetUnits, killPod, podName, removeDamaged, removePod, stopPod } from "../pod/end.ts";
import { findPod } from "../pod/find.ts";
import { collectPods } from "../pod/gc.ts";
import { type PodEntry, podEntries, readDocument } from "../pod/layout.ts";
import { PodManifest } from "../pod/manifest.ts";
import { isAlive } from "../pod/state.ts";
import { type PodStatus, podStatuses, requirePod, type StoredPod } from "../pod/status.ts";
import { parseSignal } from "../pod/words.ts";
import { collectGarbage } from "../store/gc.ts";
import { stopUnpackers } from "../store/unpack-unit.ts";
import { stopFetchers } from "../transport/fetch-unit.ts";
import { stopVerifiers } from "../trust/verifier-unit.ts";
import type { Local } from "./local.ts";
import type { Collection, GcOptions, LaunchableOptions, LaunchablePod, WaitFor } from "./manager.ts";
import { launchable } from "./prepare.ts";
import { requireTrust } from "./recheck.ts";
import { waitForPod } from "./wait.ts";

/** Where commands write outside of the store: definitions of pods, rules and keys. */
const WRITTEN = [
  DEFINITION_DIRECTORIES[0],
  ...[POLICY_DIRECTORY, KEYSTORE_DIRECTORY].map((name) => join(CONFIGURATION_DIRECTORIES[0], name)),
];

/** How often a waiter looks, in milliseconds. */
const POLL = 50;

/** See PodManager.listPods. */
export async function listPods(local: Local): Promise<PodStatus[]> {
  return await podStatuses(await podEntries(local.paths), local.bus);
}

/** See PodManager.collectPods. The store follows: what the pods gave up may be unused now. */
export async function collect(local: Local, options: GcOptions): Promise<Collection> {
  const collection = await collectPods(local.paths, local.bus, options);
  if (options.dryRun) return collection;
  for (const directory of WRITTEN) await collectTemporaries(directory);
  const stopOperation = async (id: string) => {
    await stopFetchers(await local.bus(), id);
    await stopUnpackers(await local.bus(), id);
    await stopVerifiers(await local.bus(), id);
  };
  const { layers, blobs, operations } = await collectGarbage(
    { directory: local.paths.data },
    { stopOperation },
  );
  const collected = { ...collection, layers, blobs, operations };
  await logCollection(collected);
  return collected;
}

/** A collection that found nothing is no news. */
async function logCollection({ removed, layers = 0, blobs = 0, operations = 0 }: Collection): Promise<void> {
  if (removed.length + layers + blobs + operations === 0) return;
  const counts = `${removed.length} pods, ${layers} layers, ${blobs} blobs, ${operations} unfinished imports`;
  await logEvent("garbage-collected", `Collected garbage: ${counts}`);
}

/** See PodManager.launchablePod. */
export async function launchablePod(
  local: Local,
  word: string,
  { again, running = false }: LaunchableOptions,
): Promise<LaunchablePod> {
  const { pod, status } = await lookUp(local, word);
  const alive = isAlive(status.state);
  if (alive && !running) {
    throw new GantryError("PodBusy", `pod ${quoted(podName(pod))} is ${status.state}`);
  }
  if (!alive && !again && status.state !== "prepared") {
    throw new GantryError("PodBusy", `pod ${quoted(podName(pod))} is not prepared, it has ${status.state}`, {
      hint: `gantry start ${podName(pod)} runs it again`,
    });
  }
  await requireStartable(local, pod);
  // The units of an installed pod are its own start's affair.
  const launched = pod.facts.started !== undefined && pod.record.definition === undefined;
  if (!alive && launched) await resetUnits(local, pod);
  const { uuid, directory } = pod.entry;
  return launchable({ uuid, directory, record: pod.record }, []);
}

async function requireStartable(local: Local, pod: StoredPod): Promise<void> {
  if (pod.record.definition === undefined) return await requireTrust(local, pod);
  const { requireInstalledStartable } = await import("./install.ts");
  await requireInstalledStartable(local, podName(pod));
}

/** A failed unit of the last run would take the name of the new one. */
async function resetUnits(local: Local, pod: StoredPod): Promise<void> {
  await forgetUnits(await local.bus(), pod);
}

type Found = { readonly pod: StoredPod; readonly status: PodStatus };

async function lookUp(local: Local, word: string): Promise<Found> {
  const entry = await findPod(local.paths, word);
  const pod = await requirePod(entry);
  const [status] = await podStatuses([entry], local.bus);
  if (status === undefined) throw new GantryError("NoSuchPod", `there is no pod ${quoted(word)}`);
  return { pod, status };
}

/** See PodManager.podStatus. */
export async function podStatus(local: Local, word: string): Promise<PodStatus> {
  return (await lookUp(local, word)).status;
}

export type Waiting = { readonly word: string; readonly what: WaitFor; readonly timeout: number | undefined };

/** See PodManager.waitPod. */
export async function waitPod(
  local: Local,
  { word, what, timeout }: Waiting,
): Promise<PodStatus | undefined> {
  const { uuid } = await findPod(local.paths, word);
  return await waitForPod({ what, timeout, every: POLL, look: () => podStatus(local, uuid) });
}

/** See PodManager.podManifest. */
export async function podManifest(local: Local, word: string): Promise<PodManifest> {
  const { directory } = await findPod(local.paths, word);
  const manifest = await readDocument(join(directory, "manifest.json"), PodManifest);
  if (manifest === undefined) throw new GantryError("StoreCorrupt", `pod ${quoted(word)} has no manifest`);
  return manifest as PodManifest;
}

/** See PodManager.stopPod. */
export async function stop(
  local: Local,
  word: string,
  force: boolean,
): Promise<{ uuid: string; stopped: boolean }> {
  const { pod, status } = await lookUp(local, word);
  const { uuid } = pod.record;
  if (status.state === "prepared")
    throw new GantryError("PodNotRunning", `pod ${quoted(podName(pod))} was not started`);
  if (!isAlive(status.state)) return { uuid, stopped: false };
  await stopPod(await local.bus(), pod, { force });
  return { uuid, stopped: true };
}

/** See PodManager.killPod. */
export async function signal(
  local: Local,
  word: string,
  kill: { app?: string; signal: string },
): Promise<void> {
  const number = parseSignal(kill.signal, constants.signals);
  if (number === undefined) throw new GantryError("Usage", `${quoted(kill.signal)} is not a signal`);
  const { pod, status } = await lookUp(local, word);
  if (!isAlive(status.state)) {
    throw new GantryError("PodNotRunning", `pod ${quoted(podName(pod))} is not running`);
  }
  await killPod(await local.bus(), pod, { app: kill.app, signal: number });
}

async function isDamaged(local: Local, entry: PodEntry): Promise<boolean> {
  const [status] = await podStatuses([entry], local.bus);
  return status?.state === "damaged";
}

async function removeDamagedPod(local: Local, uuid: string, force: boolean): Promise<string> {
  if (!force) {
    throw new GantryError("StoreCorrupt", `pod ${quoted(uuid)} is damaged`, {
      hint: `gantry rm --force ${uuid}`,
    });
  }
  await removeDamaged(local.paths, uuid, await local.bus());
  return uuid;
}

/** See PodManager.removePod. */
export async function remove(local: Local, word: string, force: boolean): Promise<string> {
  const entry = await findPod(local.paths, word);
  if (await isDamaged(local, entry)) return await removeDamagedPod(local, entry.uuid, force);
  const { pod, status } = await lookUp(local, word);
  const busy = isAlive(status.state);
  if (busy && force) await stopPod(await local.bus(), pod, { force: true });
  const now = busy && force ? await lookUp(local, pod.record.uuid) : { pod, status };
  await removePod(local.paths, now.pod, { status: now.status, bus: local.bus });
  const { uuid, name = uuid } = pod.record;
  await logEvent("pod-removed", `Removed pod ${name}`, { GANTRY_POD: name, GANTRY_POD_UUID: uuid });
  return uuid;
}
