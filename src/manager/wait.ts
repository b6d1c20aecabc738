/** Waiting for a pod, wherever its status comes from. */
import type { PodStatus, WaitFor } from "./manager.ts";

export type Waiting = {
  readonly what: WaitFor;
  /** Milliseconds; for ever without. */
  readonly timeout: number | undefined;
  /** How often to look at first, in milliseconds. */
  readonly every: number;
  look(): Promise<PodStatus>;
};

/** Who has waited for long may wait another second, and need not ask systemd twenty times in it. */
const SHARE = 1 / 20;
const LONGEST_PAUSE = 1000;

/** The status that was waited for; undefined when the time has passed. */
export async function waitForPod({ what, timeout, every, look }: Waiting): Promise<PodStatus | undefined> {
  const begin = Date.now();
  const end = timeout === undefined ? Number.POSITIVE_INFINITY : begin + timeout;
  for (;;) {
    const status = await look();
    if (isReached(status, what)) return status;
    if (Date.now() >= end) return undefined;
    const pause = Math.min(Math.max(every, (Date.now() - begin) * SHARE), LONGEST_PAUSE);
    await new Promise((resolve) => setTimeout(resolve, Math.min(pause, Math.max(1, end - Date.now()))));
  }
}

/** A pod that has ended will never be ready, and whoever waits for that wants to know. */
function isReached(status: PodStatus, what: WaitFor): boolean {
  if (status.state === "exited") return true;
  if (what === "exited" || status.state !== "running") return false;
  return status.apps.every((app) => app.state !== "prepared" && app.started !== undefined);
}
