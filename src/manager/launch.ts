/**
 * Starts a prepared pod over the bus, as the native front does for the command line (docs/launch-plan.md): the fact
 * `started`, then one StartTransientUnit for slice, sandbox and apps, and the undoing of a start that failed.
 */
import { constants } from "node:os";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { writeFileDurably } from "../base/file.ts";
import { bootId } from "../base/process.ts";
import { printable, quoted } from "../base/text.ts";
import { BusFailure } from "../bus/connection.ts";
import { readDocument } from "../pod/layout.ts";
import { UnitSet } from "../stage1/units.ts";
import type { Systemd, UnitProperties } from "../systemd/systemd.ts";
import type { LaunchablePod } from "./manager.ts";

export type LaunchOptions = {
  readonly systemd: Systemd;
  /** Stops what has been started so far. */
  readonly signal?: AbortSignal;
};

/** Units of a failed earlier run leave within PID 1's next turn. */
const MAX_RETRIES = 3;

/**
 * Resolves when every app is ready. Throws LaunchFailed with the sentence of the app that did not come up, PodBusy
 * when the pod runs already, Cancelled, SystemdFailed, StoreFull, StoreCorrupt.
 */
export async function launchPod(pod: LaunchablePod, options: LaunchOptions): Promise<void> {
  options.signal?.throwIfAborted();
  const set = await readUnitSet(pod);
  await writeStarted(pod.directory, set.unit);
  const launch = { pod, set, ...options };
  const stop = () => void options.systemd.stopUnit(set.unit).catch(() => {});
  options.signal?.addEventListener("abort", stop);
  try {
    await settle(launch, await start(launch, MAX_RETRIES));
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
}

type Launch = LaunchOptions & { readonly pod: LaunchablePod; readonly set: UnitSet };
type Results = Awaited<ReturnType<Systemd["startTransientUnits"]>>;

async function readUnitSet(pod: LaunchablePod): Promise<UnitSet> {
  const set = await readDocument(join(pod.directory, "units.json"), UnitSet);
  if (set === undefined) throw new GantryError("NoSuchPod", `there is no pod ${quoted(pod.uuid)}`);
  return set;
}

/** What is on disk before the call decides what a power cut during it leaves: a pod that may have run. */
async function writeStarted(directory: string, unit: string): Promise<void> {
  const fact = { version: 1, time: Date.now() * 1000, boot: await bootId(), unit };
  await writeFileDurably(join(directory, "started"), `${JSON.stringify(fact)}\n`);
}

async function start(launch: Launch, retries: number): Promise<Results> {
  const { set, systemd } = launch;
  const unit = { name: set.unit, properties: set.properties, aux: set.aux, mode: set.mode };
  try {
    return await systemd.startTransientUnits(
      unit,
      set.apps.map((app) => app.unit),
    );
  } catch (error) {
    if (!isTaken(error)) throw error;
    await refuseRunning(launch);
    if (retries === 0) throw error;
    await reset(launch);
    return await start(launch, retries - 1);
  }
}

/** A name in use is a pod that runs, or units of one that failed: those go when they are reset. */
async function refuseRunning({ systemd, set, pod }: Launch): Promise<void> {
  const { ActiveState: state } = await systemd.unitProperties(set.unit);
  if (state !== "active" && state !== "activating") return;
  throw new GantryError("PodBusy", `pod ${quoted(nameOf(pod))} runs already`);
}

function isTaken(error: unknown): boolean {
  const cause = error instanceof GantryError ? error.cause : undefined;
  return cause instanceof BusFailure && cause.errorName === "org.freedesktop.systemd1.UnitExists";
}

/** Up, or undone. */
async function settle(launch: Launch, results: Results): Promise<void> {
  if ([...results.values()].every((result) => result === "done")) return;
  const failure = await failureOf(launch, results);
  await launch.systemd.stopUnit(launch.set.unit);
  await reset(launch);
  throw failure;
}

async function failureOf({ pod, set, systemd, signal }: Launch, results: Results): Promise<GantryError> {
  const name = quoted(nameOf(pod));
  if (signal?.aborted === true) return new GantryError("Cancelled", `the start of pod ${name} was cancelled`);
  const app = guiltyApp(set, results);
  const unit = app?.unit ?? set.unit;
  const what = app === undefined ? `pod ${name}` : `pod ${name}, app ${quoted(app.name)}`;
  const properties = await systemd.unitProperties(unit);
  return new GantryError(failureKind(properties), `${what}: ${failureSentence(properties, unit)}`);
}

/** The launcher tells systemd the error of the call that failed, too (ERRNO=, sd_notify(3)). */
export function failureKind({ StatusErrno: error }: UnitProperties): "LaunchFailed" | "StoreFull" {
  return error === constants.errno.ENOSPC || error === constants.errno.EDQUOT ? "StoreFull" : "LaunchFailed";
}

/** Undefined when the sandbox did not come up. An app that failed took the jobs of the others with it. */
function guiltyApp(set: UnitSet, results: Results): UnitSet["apps"][number] | undefined {
  if (results.get(set.unit) !== "done") return undefined;
  const failed = set.apps.find(({ unit }) => results.get(unit) === "failed");
  return failed ?? set.apps.find(({ unit }) => results.get(unit) !== "done");
}

/** The launcher's own words (STATUS=) if it had any, else systemd's view of its end. */
export function failureSentence(properties: UnitProperties, unit: string): string {
  const text = String(properties["StatusText"] ?? "");
  if (text !== "") return printable(text);
  const result = String(properties["Result"] ?? "success");
  if (result === "success") return "stopped before it was ready";
  if (result === "timeout") return "not ready in time";
  const status = Number(properties["ExecMainStatus"] ?? 0);
  return `ended before it was ready (${result}, status ${status}); see journalctl -u ${unit}`;
}

async function reset({ systemd, set }: Launch): Promise<void> {
  const units = [...set.apps.map((app) => app.unit), set.unit];
  await Promise.all(units.map((unit) => systemd.resetFailedUnit(unit)));
}

function nameOf(pod: LaunchablePod): string {
  return pod.name === "" ? pod.uuid : pod.name;
}
