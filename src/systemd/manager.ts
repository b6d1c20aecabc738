/** org.freedesktop.systemd1.Manager as connectSystemd's object. */
import { Variant } from "dbus-next";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { type Bus, BusFailure, openBus, type Reply } from "../bus/connection.ts";
import { type Jobs, watchJobs } from "./jobs.ts";
import { runService } from "./service.ts";
import type { ConnectOptions, KillOptions, Systemd } from "./systemd.ts";
import type { JobResult, TransientUnit, UnitProperties, UnitState } from "./unit.ts";
import { toVariants } from "./variant.ts";

const SYSTEMD = "org.freedesktop.systemd1";
const MANAGER = "org.freedesktop.systemd1.Manager";
const MANAGER_PATH = "/org/freedesktop/systemd1";
const PROPERTIES = "org.freedesktop.DBus.Properties";

type Arguments = { readonly signature: string; readonly body: readonly unknown[] };
type Link = { readonly bus: Bus; jobs(): Jobs };

/** Opens the connection behind connectSystemd(). */
export async function openManager(options: ConnectOptions): Promise<Systemd> {
  const bus = await openBus(options);
  let jobs: Jobs | undefined;
  const link: Link = {
    bus,
    jobs: () => {
      jobs ??= watchJobs(bus);
      return jobs;
    },
  };
  const systemd: Systemd = {
    startTransientUnit: (unit, queued) => startTransientUnit(link, unit, queued),
    startTransientUnits: (unit, others) => startTransientUnits(link, unit, others),
    runTransient: (unit, runOptions = {}) => runService(systemd, unit, runOptions),
    startUnit: (name, startOptions) => startUnit(link, name, startOptions),
    stopUnit: (name) => stopUnit(link, name),
    killUnit: (name, killOptions) => killUnit(link, name, killOptions),
    resetFailedUnit: (name) => resetFailedUnit(link, name),
    listUnits: (patterns) => listUnits(link, patterns),
    unitProperties: (name) => unitProperties(link, name),
    version: () => version(link),
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  };
  return systemd;
}

async function manager(link: Link, member: string, args: Arguments): Promise<Reply> {
  return await link.bus.call({
    destination: SYSTEMD,
    path: MANAGER_PATH,
    interface: MANAGER,
    member,
    ...args,
  });
}

async function startTransientUnit(
  link: Link,
  unit: TransientUnit,
  queued: () => void = () => {},
): Promise<JobResult> {
  return await link.jobs().result(async () => {
    const reply = await callStart(link, unit);
    queued();
    return reply;
  });
}

async function startTransientUnits(
  link: Link,
  unit: TransientUnit,
  others: readonly string[],
): Promise<ReadonlyMap<string, JobResult>> {
  return await link.jobs().results(() => callStart(link, unit), [unit.name, ...others]);
}

async function callStart(link: Link, unit: TransientUnit): Promise<Reply> {
  const aux = (unit.aux ?? []).map(([name, properties]) => [name, toVariants(properties, Variant)]);
  const body = [unit.name, unit.mode ?? "fail", toVariants(unit.properties, Variant), aux];
  try {
    return await manager(link, "StartTransientUnit", { signature: "ssa(sv)a(sa(sv))", body });
  } catch (error) {
    throw failure(error, `cannot start ${quoted(unit.name)}`);
  }
}

async function startUnit(
  link: Link,
  name: string,
  { restart }: { readonly restart: boolean },
): Promise<JobResult> {
  try {
    const args = { signature: "ss", body: [name, "replace"] };
    return await link.jobs().result(() => manager(link, restart ? "RestartUnit" : "StartUnit", args));
  } catch (error) {
    throw failure(error, `cannot start ${quoted(name)}`);
  }
}

async function stopUnit(link: Link, name: string): Promise<JobResult> {
  try {
    const args = { signature: "ss", body: [name, "replace"] };
    return await link.jobs().result(() => manager(link, "StopUnit", args));
  } catch (error) {
    if (isNoSuchUnit(error)) return "done";
    throw failure(error, `cannot stop ${quoted(name)}`);
  }
}

async function killUnit(link: Link, name: string, options: KillOptions): Promise<boolean> {
  try {
    await manager(link, "KillUnit", {
      signature: "ssi",
      body: [name, options.whom ?? "all", options.signal],
    });
    return true;
  } catch (error) {
    if (isNoSuchUnit(error)) return false;
    throw failure(error, `cannot signal ${quoted(name)}`);
  }
}

async function resetFailedUnit(link: Link, name: string): Promise<void> {
  try {
    await manager(link, "ResetFailedUnit", { signature: "s", body: [name] });
  } catch (error) {
    if (!isNoSuchUnit(error)) throw failure(error, `cannot reset ${quoted(name)}`);
  }
}

async function listUnits(link: Link, patterns: readonly string[]): Promise<UnitState[]> {
  try {
    const args = { signature: "asas", body: [[], patterns] };
    const reply = await manager(link, "ListUnitsByPatterns", args);
    return (reply.body[0] as unknown[][]).map(toUnitState);
  } catch (error) {
    throw failure(error, "cannot list units");
  }
}

/** ssssssouso: name, description, load, active, sub, following, path, job id, job type, job path. */
function toUnitState(row: unknown[]): UnitState {
  const text = (index: number) => String(row[index] ?? "");
  return { name: text(0), description: text(1), load: text(2), active: text(3), sub: text(4), job: text(8) };
}

async function unitProperties(link: Link, name: string): Promise<UnitProperties> {
  const call = { destination: SYSTEMD, path: unitPath(name), interface: PROPERTIES, member: "GetAll" };
  try {
    // An empty interface name means the properties of all of them.
    const reply = await link.bus.call({ ...call, signature: "s", body: [""] });
    const pairs = Object.entries(reply.body[0] as Record<string, { value: unknown }>);
    return Object.fromEntries(pairs.map(([key, variant]) => [key, plain(variant.value)]));
  } catch (error) {
    throw failure(error, `cannot read the state of ${quoted(name)}`);
  }
}

function plain(value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** The object path of a unit: every byte that is no letter or digit, and a leading digit, becomes `_xx`. */
export function unitPath(name: string): string {
  const escaped = [...Buffer.from(name)].map((byte, index) => {
    const character = String.fromCharCode(byte);
    const kept = /[A-Za-z]/.test(character) || (index > 0 && /[0-9]/.test(character));
    return kept ? character : `_${byte.toString(16).padStart(2, "0")}`;
  });
  return `${MANAGER_PATH}/unit/${escaped.join("")}`;
}

async function version(link: Link): Promise<number> {
  const call = { destination: SYSTEMD, path: MANAGER_PATH, interface: PROPERTIES, member: "Get" };
  const reply = await link.bus.call({ ...call, signature: "ss", body: [MANAGER, "Version"] });
  return Number.parseInt(String((reply.body[0] as { value: unknown }).value), 10);
}

function isNoSuchUnit(error: unknown): boolean {
  return error instanceof BusFailure && error.errorName === "org.freedesktop.systemd1.NoSuchUnit";
}

function failure(error: unknown, what: string): unknown {
  if (!(error instanceof BusFailure)) return error;
  const denied = /AccessDenied|InteractiveAuthorizationRequired/.test(error.errorName);
  return new GantryError(denied ? "AccessDenied" : "SystemdFailed", `${what}: ${error.message}`, {
    cause: error,
  });
}
