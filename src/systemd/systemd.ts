/**
 * systemd's manager on the system bus. dbus-next is loaded only when a connection is made, so that a verb which
 * needs no bus does not pay for it.
 */
import type { JobResult, ServiceOutcome, TransientUnit, UnitProperties, UnitState } from "./unit.ts";

export type {
  JobResult,
  PropertyValue,
  ServiceOutcome,
  TransientUnit,
  UnitProperties,
  UnitProperty,
  UnitState,
} from "./unit.ts";

export type ConnectOptions = {
  /** D-Bus address; the system bus by default. */
  readonly address?: string;
  /** Milliseconds a single call may take, 30000 by default. */
  readonly timeout?: number;
};

export type KillOptions = { readonly whom?: "all" | "main" | "control"; readonly signal: number };

export type RunOptions = {
  /** Milliseconds until the service is stopped and the call fails with TimedOut; none by default. */
  readonly timeout?: number;
  /** Stops the service; the call then fails with Cancelled. */
  readonly signal?: AbortSignal;
  /** Called when systemd has taken the start on; never when it does not. */
  readonly queued?: (() => void) | undefined;
};

/** Every method throws GantryError: SystemdFailed, TimedOut, AccessDenied; `await using` closes the connection. */
export type Systemd = AsyncDisposable & {
  /** Starts a transient unit and waits for its job; `queued` is called when there is one. */
  startTransientUnit(unit: TransientUnit, queued?: () => void): Promise<JobResult>;
  /** The same, waiting also for the jobs of `others` that start with it: each unit's result by name. */
  startTransientUnits(
    unit: TransientUnit,
    others: readonly string[],
  ): Promise<ReadonlyMap<string, JobResult>>;
  /**
   * Runs a transient service to its end. The properties say what it executes; Type=oneshot and CollectMode are
   * set here, so that a failure stays readable until it was read and then goes.
   */
  runTransient(unit: TransientUnit, options?: RunOptions): Promise<ServiceOutcome>;
  /** Starts a unit, or with `restart` stops it first if it is active, and waits for its job. */
  startUnit(name: string, options: { readonly restart: boolean }): Promise<JobResult>;
  /** Stops a unit and waits for its job; a unit that is not loaded counts as `done`. */
  stopUnit(name: string): Promise<JobResult>;
  /** Signals a unit's processes; a unit that is not loaded is ignored and gives false. */
  killUnit(name: string, options: KillOptions): Promise<boolean>;
  /** Forgets a failed unit; a unit that is not loaded is ignored. */
  resetFailedUnit(name: string): Promise<void>;
  /** Loaded units whose names match one of the patterns, in which a backslash means itself (FNM_NOESCAPE). */
  listUnits(patterns: readonly string[]): Promise<UnitState[]>;
  /** All properties of a unit, of its Unit and Service interfaces. A unit that is not loaded tells LoadState=not-found. */
  unitProperties(name: string): Promise<UnitProperties>;
  /** The major version, such as 252. */
  version(): Promise<number>;
};

/** Connects to systemd over the system bus. Throws SystemdFailed when there is no bus. */
export async function connectSystemd(options: ConnectOptions = {}): Promise<Systemd> {
  const { openManager } = await import("./manager.ts");
  return await openManager(options);
}

/** Connects at the first call, for all that follow; after a failure the next call tries again. */
export function connectWhenNeeded(options: ConnectOptions = {}): () => Promise<Systemd> {
  let connection: Promise<Systemd> | undefined;
  const connect = async () => {
    try {
      return await connectSystemd(options);
    } catch (error) {
      connection = undefined;
      throw error;
    }
  };
  return () => {
    connection ??= connect();
    return connection;
  };
}
