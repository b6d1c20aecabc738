/** The manager in this process: what root's command line uses. */
import { constants } from "node:os";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Paths } from "../config/paths.ts";
import type { ImageRecord } from "../image/record.ts";
import { checkValue, parseDocument } from "../pod/check.ts";
import { killPod, podName, removePod, stopPod } from "../pod/end.ts";
import { findPod } from "../pod/find.ts";
import { collectPods } from "../pod/gc.ts";
import { podEntries, readDocument } from "../pod/layout.ts";
import { PodManifest } from "../pod/manifest.ts";
import { type PreparedPod, preparePod } from "../pod/prepare.ts";
import { type Images, manifestOfRequest, reifyManifest } from "../pod/reify.ts";
import { PodRequest } from "../pod/request.ts";
import { isAlive } from "../pod/state.ts";
import { type PodStatus, podStatuses, requirePod, type StoredPod } from "../pod/status.ts";
import { parseSignal } from "../pod/words.ts";
import { openStore } from "../store/store.ts";
import { connectSystemd, type Systemd } from "../systemd/systemd.ts";
import { INSECURE_OPTIONS, type InsecureOption } from "../trust/verdict.ts";
import { ensureImage } from "./images.ts";
import type { LaunchablePod, PodManager, PrepareOptions, WaitFor } from "./manager.ts";

/** How often a waiter looks, in milliseconds. */
const POLL = 50;

export type Local = { readonly paths: Paths; readonly uid: number; bus(): Promise<Systemd> };

/** Opens the manager on the directories of `paths`; the bus is connected when something needs it. */
export function localManager(options: { readonly paths: Paths; readonly uid: number }): PodManager {
  let systemd: Promise<Systemd> | undefined;
  const bus = () => {
    systemd ??= connectSystemd();
    return systemd;
  };
  return managerOn({ ...options, bus }, async () => {
    // A connection that failed was reported by whoever needed it.
    const connected = await systemd?.catch(() => undefined);
    await connected?.[Symbol.asyncDispose]();
  });
}

/** The same on a connection that somebody else made and closes. */
export function managerOnBus(local: Local): PodManager {
  return managerOn(local, async () => {});
}

function managerOn(local: Local, dispose: () => Promise<void>): PodManager {
  return {
    preparePod: (request, prepare) => prepareRequest(local, request, prepare),
    prepareManifest: (text, origin, prepare) => prepareManifest(local, { text, origin }, prepare),
    launchablePod: (word, { again }) => launchablePod(local, word, again),
    listPods: async () => await podStatuses(await podEntries(local.paths), local.bus),
    podStatus: (word) => podStatus(local, word),
    waitPod: (word, what, timeout) => waitPod(local, { word, what, timeout }),
    podManifest: (word) => podManifest(local, word),
    stopPod: (word, { force }) => stop(local, word, force),
    killPod: (word, kill) => signal(local, word, kill),
    removePod: (word, { force }) => remove(local, word, force),
    collectPods: (gc) => collectPods(local.paths, local.bus, gc),
    [Symbol.asyncDispose]: dispose,
  };
}

async function prepareRequest(local: Local, given: unknown, options: PrepareOptions): Promise<LaunchablePod> {
  const request = checkValue(PodRequest, given, { name: "the pod", kind: "Usage" });
  const names = request.apps.map((app) => app.image);
  const images = await resolveImages(local, names, options);
  return await prepare(local, manifestOfRequest(request, images), images);
}

type Written = { readonly text: string; readonly origin: string };

async function prepareManifest(
  local: Local,
  { text, origin }: Written,
  options: PrepareOptions,
): Promise<LaunchablePod> {
  const manifest = parseDocument(PodManifest, text, { name: quoted(origin), kind: "BadManifest" });
  const names = manifest.apps.map((app) => app.image.id);
  const images = await resolveImages(local, names, options);
  return await prepare(local, reifyManifest(manifest, images), images);
}

/** By the names they were asked for and by their ids. */
async function resolveImages(
  local: Local,
  names: readonly string[],
  options: PrepareOptions,
): Promise<Images> {
  const images = new Map<string, ImageRecord>();
  for (const source of new Set(names)) {
    const request = {
      source,
      insecureOptions: checkInsecure(options.insecureOptions),
      uid: options.uid ?? local.uid,
    };
    const record = await ensureImage(local, request);
    images.set(source, record).set(record.id, record);
  }
  return images;
}

function checkInsecure(words: readonly string[]): InsecureOption[] {
  return words.map((word) => {
    const option = INSECURE_OPTIONS.find((known) => known === word);
    if (option !== undefined) return option;
    throw new GantryError(
      "Usage",
      `${quoted(word)} is no insecure option; there is: ${INSECURE_OPTIONS.join(", ")}`,
    );
  });
}

async function prepare(local: Local, manifest: PodManifest, images: Images): Promise<LaunchablePod> {
  await openStore(local.paths.data);
  const pod = await preparePod(local.paths, { manifest, images });
  return launchable(pod, pod.warnings);
}

function launchable(
  { uuid, directory, record }: Omit<PreparedPod, "warnings">,
  warnings: readonly string[],
): LaunchablePod {
  const { terminal, stdin } = record;
  return { uuid, name: record.name ?? "", directory, terminal, stdin: stdin || terminal, warnings };
}

async function launchablePod(local: Local, word: string, again: boolean): Promise<LaunchablePod> {
  const { pod, status } = await lookUp(local, word);
  if (isAlive(status.state)) {
    throw new GantryError("PodBusy", `pod ${quoted(podName(pod))} is ${status.state}`);
  }
  if (!again && status.state !== "prepared") {
    throw new GantryError("PodBusy", `pod ${quoted(podName(pod))} is not prepared, it has ${status.state}`, {
      hint: `gantry start ${podName(pod)} runs it again`,
    });
  }
  if (pod.facts.started !== undefined) await resetUnits(local, pod);
  const { uuid, directory } = pod.entry;
  return launchable({ uuid, directory, record: pod.record }, []);
}

/** A failed unit of the last run would take the name of the new one. */
async function resetUnits(local: Local, pod: StoredPod): Promise<void> {
  const { forgetUnits } = await import("../pod/end.ts");
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

async function podStatus(local: Local, word: string): Promise<PodStatus> {
  return (await lookUp(local, word)).status;
}

type Waiting = { readonly word: string; readonly what: WaitFor; readonly timeout: number | undefined };

async function waitPod(local: Local, { word, what, timeout }: Waiting): Promise<PodStatus | undefined> {
  const { uuid } = await findPod(local.paths, word);
  const end = timeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeout;
  for (;;) {
    const status = await podStatus(local, uuid);
    if (isReached(status, what)) return status;
    if (Date.now() >= end) return undefined;
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL, Math.max(1, end - Date.now()))));
  }
}

/** A pod that has ended will never be ready, and whoever waits for that wants to know. */
function isReached(status: PodStatus, what: WaitFor): boolean {
  if (status.state === "exited") return true;
  if (what === "exited" || status.state !== "running") return false;
  return status.apps.every((app) => app.state !== "prepared" && app.started !== undefined);
}

async function podManifest(local: Local, word: string): Promise<PodManifest> {
  const { directory } = await findPod(local.paths, word);
  const manifest = await readDocument(join(directory, "manifest.json"), PodManifest);
  if (manifest === undefined) throw new GantryError("StoreCorrupt", `pod ${quoted(word)} has no manifest`);
  return manifest as PodManifest;
}

async function stop(local: Local, word: string, force: boolean): Promise<{ uuid: string; stopped: boolean }> {
  const { pod, status } = await lookUp(local, word);
  const { uuid } = pod.record;
  if (status.state === "prepared")
    throw new GantryError("PodNotRunning", `pod ${quoted(podName(pod))} was not started`);
  if (!isAlive(status.state)) return { uuid, stopped: false };
  await stopPod(await local.bus(), pod, { force });
  return { uuid, stopped: true };
}

async function signal(local: Local, word: string, kill: { app?: string; signal: string }): Promise<void> {
  const number = parseSignal(kill.signal, constants.signals);
  if (number === undefined) throw new GantryError("Usage", `${quoted(kill.signal)} is not a signal`);
  const { pod, status } = await lookUp(local, word);
  if (!isAlive(status.state)) {
    throw new GantryError("PodNotRunning", `pod ${quoted(podName(pod))} is not running`);
  }
  await killPod(await local.bus(), pod, { app: kill.app, signal: number });
}

async function remove(local: Local, word: string, force: boolean): Promise<string> {
  const { pod, status } = await lookUp(local, word);
  const busy = isAlive(status.state);
  if (busy && force) await stopPod(await local.bus(), pod, { force: true });
  const now = busy && force ? await lookUp(local, pod.record.uuid) : { pod, status };
  await removePod(local.paths, now.pod, { status: now.status, bus: local.bus });
  return pod.record.uuid;
}
