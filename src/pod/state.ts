/**
 * A pod's state from its facts on disk and systemd's units. Pure; docs/pod-lifecycle.md has the table. A restart
 * writes `started` anew, so an end counts only when it is not older.
 */
import type { UnitState } from "../systemd/unit.ts";
import type { AppFacts, PodFacts } from "./facts.ts";

export type PodState =
  | "preparing"
  | "aborted"
  | "prepared"
  | "starting"
  | "running"
  | "stopping"
  | "exited"
  | "damaged"
  | "garbage";
export type AppState = "prepared" | "running" | "exited";

export type Reason = "host-rebooted" | "lost";

export type Surroundings = {
  /** The boot id of now, without dashes. */
  readonly boot: string;
  /** Microseconds since the epoch. */
  readonly now: number;
  readonly units: ReadonlyMap<string, UnitState>;
};

/** Between the fact `started` and systemd's knowledge of the unit lie milliseconds. */
const START_WINDOW = 5_000_000;

/** The state of a prepared pod, and why it is so when that is not obvious. */
export function podState(
  facts: PodFacts,
  unit: string,
  { boot, now, units }: Surroundings,
): { state: PodState; reason?: Reason } {
  const { started, ended } = facts;
  if (started === undefined) return { state: "prepared" };
  const active = started.boot === boot ? livingState(units.get(unit)) : undefined;
  if (active !== undefined) return { state: active };
  if (ended !== undefined && ended.time >= started.time) return { state: "exited" };
  if (started.boot !== boot) return { state: "exited", reason: "host-rebooted" };
  if (now - started.time < START_WINDOW) return { state: "starting" };
  return { state: "exited", reason: "lost" };
}

function livingState(unit: UnitState | undefined): PodState | undefined {
  if (unit === undefined || !isActive(unit)) return undefined;
  if (unit.active === "activating") return "starting";
  return unit.active === "deactivating" ? "stopping" : "running";
}

/** Whether processes of the pod may exist. */
export function isAlive(state: PodState): boolean {
  return state === "starting" || state === "running" || state === "stopping";
}

/** The state of one app of a pod in `pod` state. */
export function appState(facts: AppFacts, pod: PodState, unit: UnitState | undefined): AppState {
  if (isAlive(pod)) {
    if (isActive(unit)) return "running";
    return facts.started === undefined && facts.exit === undefined ? "prepared" : "exited";
  }
  return pod === "exited" ? "exited" : "prepared";
}

/** Everything between the start of a unit and the end of its last process. */
export function isActive(unit: UnitState | undefined): boolean {
  return unit !== undefined && unit.active !== "inactive" && unit.active !== "failed";
}
