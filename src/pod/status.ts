/** What is known of a pod: its record, its facts and systemd's units in one. */
import { GantryError } from "../base/errors.ts";
import { bootId } from "../base/process.ts";
import { quoted } from "../base/text.ts";
import type { Systemd } from "../systemd/systemd.ts";
import { type PodFacts, readFacts } from "./facts.ts";
import type { IsolatorReport } from "./isolators.ts";
import { type PodEntry, preparerLives, readDocument } from "./layout.ts";
import { PodRecord } from "./record.ts";
import { type AppState, appState, type PodState, podState, type Reason, type Surroundings } from "./state.ts";

/** Times are microseconds since the epoch; what is not known is left out. */
export type AppStatus = {
  readonly name: string;
  readonly state: AppState;
  readonly unit: string;
  readonly image: { readonly id: string; readonly digest: string; readonly name?: string | undefined };
  readonly pid?: number;
  readonly started?: number;
  readonly ended?: number;
  /** systemd's word: success, exit-code, signal, timeout, oom-kill … */
  readonly result?: string;
  /** Exit status; absent when a signal ended the app. */
  readonly status?: number;
  readonly signal?: number;
};

export type PodStatus = {
  readonly uuid: string;
  readonly name?: string;
  readonly state: PodState;
  readonly reason?: Reason;
  readonly unit?: string;
  readonly net?: string;
  readonly created?: number;
  readonly started?: number;
  readonly ended?: number;
  readonly apps: readonly AppStatus[];
  readonly isolators: readonly IsolatorReport[];
};

/** A pod as it lies on disk. */
export type StoredPod = { readonly entry: PodEntry; readonly record: PodRecord; readonly facts: PodFacts };

/** Opens the bus when the first pod needs it; never for pods that were not started. */
export type Bus = () => Promise<Systemd>;

/** Reads a prepared pod. Throws StoreCorrupt; undefined when it was removed meanwhile. */
export async function readPod(entry: PodEntry): Promise<StoredPod | undefined> {
  const record = await readDocument(`${entry.directory}/pod.json`, PodRecord);
  if (record === undefined) return undefined;
  const facts = await readFacts(
    entry.directory,
    record.apps.map((app) => app.name),
  );
  return { entry, record, facts };
}

/** The pod's record and facts; throws NoSuchPod when it was removed meanwhile. */
export async function requirePod(entry: PodEntry): Promise<StoredPod> {
  const pod = await readPod(entry);
  if (pod === undefined) throw new GantryError("NoSuchPod", `there is no pod ${quoted(entry.uuid)}`);
  return pod;
}

/** Statuses of the pods, in their order; those that vanish meanwhile are left out. */
export async function podStatuses(entries: readonly PodEntry[], bus: Bus): Promise<PodStatus[]> {
  const read = await Promise.all(entries.map(readEntry));
  const surroundings = await lookAround(
    read.flatMap((one) => (one !== undefined && "record" in one ? [one] : [])),
    bus,
  );
  return read.flatMap((one) => {
    if (one === undefined) return [];
    return ["record" in one ? statusOf(one, surroundings) : one];
  });
}

/** A pod that is not prepared has little to tell. */
async function readEntry(entry: PodEntry): Promise<StoredPod | PodStatus | undefined> {
  const bare = { uuid: entry.uuid, apps: [], isolators: [] };
  if (entry.phase === "garbage") return { ...bare, state: "garbage" };
  if (entry.phase === "preparing") {
    return { ...bare, state: (await preparerLives(entry.directory)) ? "preparing" : "aborted" };
  }
  try {
    return await readPod(entry);
  } catch (error) {
    // One pod's damage must not hide the others.
    if (error instanceof GantryError && error.kind === "StoreCorrupt") return { ...bare, state: "damaged" };
    throw error;
  }
}

/** One question to systemd for all pods that were started since the boot. */
async function lookAround(pods: readonly StoredPod[], bus: Bus): Promise<Surroundings> {
  const boot = await bootId();
  const asked = pods.filter(({ facts }) => facts.started?.boot === boot);
  const names = asked.flatMap(({ record }) => [record.unit, ...record.apps.map((app) => app.unit)]);
  const states =
    names.length === 0 ? [] : await (await bus()).listUnits(names.length > 64 ? ["gantry-*"] : names);
  return { boot, now: Date.now() * 1000, units: new Map(states.map((state) => [state.name, state])) };
}

/** The status of a stored pod. Pure. */
export function statusOf({ record, facts }: StoredPod, surroundings: Surroundings): PodStatus {
  const { state, reason } = podState(facts, record.unit, surroundings);
  const { started, ended } = facts;
  return {
    uuid: record.uuid,
    ...(record.name === undefined ? {} : { name: record.name }),
    state,
    ...(reason === undefined ? {} : { reason }),
    unit: record.unit,
    net: record.net,
    created: record.created,
    ...(started === undefined ? {} : { started: started.time }),
    ...(state === "exited" && ended !== undefined ? { ended: ended.time } : {}),
    apps: record.apps.map((app) => appStatus(app, { facts, state, surroundings })),
    isolators: record.isolators as readonly IsolatorReport[],
  };
}

type Around = { readonly facts: PodFacts; readonly state: PodState; readonly surroundings: Surroundings };

function appStatus(app: PodRecord["apps"][number], { facts, state, surroundings }: Around): AppStatus {
  const own = facts.apps.get(app.name) ?? { started: undefined, exit: undefined };
  const now = appState(own, state, surroundings.units.get(app.unit));
  // Facts of an earlier run say nothing about this one.
  const since = facts.started?.time ?? Number.POSITIVE_INFINITY;
  const started = own.started !== undefined && own.started.time >= since ? own.started : undefined;
  const exit = own.exit !== undefined && own.exit.time >= since && now === "exited" ? own.exit : undefined;
  return {
    name: app.name,
    state: now,
    unit: app.unit,
    image: app.image,
    ...(now === "running" && started?.pid !== undefined ? { pid: started.pid } : {}),
    ...(started === undefined ? {} : { started: started.time }),
    ...(exit === undefined ? {} : exitOf(exit)),
  };
}

function exitOf(exit: NonNullable<ReturnType<PodFacts["apps"]["get"]>>["exit"] & object): Partial<AppStatus> {
  const ended = { ended: exit.time, result: exit.result };
  if (exit.code === "exited") return { ...ended, status: exit.status };
  return exit.code === "killed" || exit.code === "dumped" ? { ...ended, signal: exit.status } : ended;
}
