/** A transient service run to its end. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { RunOptions, Systemd } from "./systemd.ts";
import type { ServiceOutcome, TransientUnit, UnitProperties } from "./unit.ts";

/** CLD_KILLED and CLD_DUMPED of waitid(2), as systemd's ExecMainCode tells them. */
const SIGNALLED = [2, 3];

/** See Systemd.runTransient. */
export async function runService(
  systemd: Systemd,
  unit: TransientUnit,
  options: RunOptions,
): Promise<ServiceOutcome> {
  options.signal?.throwIfAborted();
  const interruption = interruptionOf(systemd, unit.name, options);
  try {
    // The start job of a oneshot service ends with its process; only a failed one stays loaded (CollectMode=inactive).
    const result = await systemd.startTransientUnit(
      {
        ...unit,
        properties: [["Type", "s", "oneshot"], ["CollectMode", "s", "inactive"], ...unit.properties],
      },
      options.queued,
    );
    interruption.check();
    if (result === "done") return { result: "success", status: 0, signalled: false, statusText: "" };
    return outcomeOf(await systemd.unitProperties(unit.name));
  } finally {
    await interruption.end();
    await systemd.resetFailedUnit(unit.name);
  }
}

function outcomeOf(properties: UnitProperties): ServiceOutcome {
  return {
    result: String(properties["Result"] ?? "resources"),
    status: Number(properties["ExecMainStatus"] ?? 0),
    signalled: SIGNALLED.includes(Number(properties["ExecMainCode"] ?? 0)),
    statusText: String(properties["StatusText"] ?? ""),
  };
}

type Interruption = { check(): void; end(): Promise<void> };

/** Stops the service on abort or at the deadline; its start job then ends and check() tells why. */
function interruptionOf(systemd: Systemd, name: string, options: RunOptions): Interruption {
  let reason: GantryError | undefined;
  let stopped: Promise<unknown> = Promise.resolve();
  const stop = (error: GantryError) => {
    reason ??= error;
    stopped = systemd.stopUnit(name).catch(() => {});
  };
  const abort = () => stop(new GantryError("Cancelled", `${quoted(name)} was cancelled`));
  const late = () =>
    stop(new GantryError("TimedOut", `${quoted(name)} did not end within ${options.timeout} ms`));
  const timer = options.timeout === undefined ? undefined : setTimeout(late, options.timeout);
  options.signal?.addEventListener("abort", abort);
  return {
    check: () => {
      if (reason !== undefined) throw reason;
    },
    // The start job is cancelled at once, but the process and the unit's failure come to an end with the stop job.
    end: async () => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", abort);
      await stopped;
    },
  };
}
