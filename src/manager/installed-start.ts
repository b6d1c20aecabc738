/** The start of an installed pod by whoever is not systemctl: systemd starts its unit, and the rest is that unit's affair. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { podName } from "../pod/end.ts";
import { findPod } from "../pod/find.ts";
import { podOfName } from "../pod/names.ts";
import { requirePod, type StoredPod } from "../pod/status.ts";
import type { Systemd } from "../systemd/systemd.ts";
import { failureKind, failureSentence } from "./launch.ts";
import type { Local } from "./local.ts";
import type { InstalledStart } from "./manager.ts";

/** What gantry-start ends with when the trust policy refuses an image. */
const REFUSED = 5;

/** See PodManager.startInstalled. */
export async function startInstalled(
  local: Local,
  word: string,
  { restart, signal }: InstalledStart,
): Promise<string> {
  signal?.throwIfAborted();
  const pod = await requirePod(await findPod(local.paths, word));
  const { unit } = pod.record;
  const systemd = await local.bus();
  const stop = () => void systemd.stopUnit(unit).catch(() => {});
  signal?.addEventListener("abort", stop);
  try {
    const result = await systemd.startUnit(unit, { restart });
    if (result !== "done") throw await failureOf(systemd, pod, signal);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  return (await podOfName(local.paths, podName(pod))) ?? pod.record.uuid;
}

async function failureOf(
  systemd: Systemd,
  pod: StoredPod,
  signal: AbortSignal | undefined,
): Promise<GantryError> {
  const name = quoted(podName(pod));
  if (signal?.aborted === true) return new GantryError("Cancelled", `the start of pod ${name} was cancelled`);
  const { unit } = pod.record;
  const properties = await systemd.unitProperties(unit);
  const kind = properties["ExecMainStatus"] === REFUSED ? "NotTrusted" : failureKind(properties);
  return new GantryError(kind, `pod ${name}: ${failureSentence(properties, unit)}`);
}
