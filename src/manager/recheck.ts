/**
 * Whether a prepared pod may start: its trust stamp holds, or its images are judged again by the keys and the rules of
 * now (DESIGN section 6). What runs already runs on.
 */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { logEvent } from "../journal/journal.ts";
import type { StoredPod } from "../pod/status.ts";
import { type JudgedImage, makeTrustStamp, readTrustStamp, writeTrustStamp } from "../pod/trust-stamp.ts";
import { readRecord } from "../store/images.ts";
import { isGood, presentMoment } from "../trust/moment.ts";
import { uncheckedBy } from "../trust/refusal.ts";
import type { Local } from "./local.ts";

/** Throws NotTrusted, which names the image and the reason, and StoreCorrupt for a pod without a stamp. */
export async function requireTrust(local: Local, pod: StoredPod): Promise<void> {
  const { directory } = pod.entry;
  const stamp = await readTrustStamp(directory);
  if (stamp === undefined) {
    throw new GantryError("StoreCorrupt", `pod ${quoted(nameOf(pod))} has no trust stamp`, {
      hint: "remove it and prepare it anew",
    });
  }
  const moment = presentMoment();
  if (isGood(stamp, moment)) return;
  try {
    const images: JudgedImage[] = [];
    for (const image of stamp.images) images.push(await judgeImage(local, image, uncheckedFor(pod)));
    await writeTrustStamp(directory, makeTrustStamp(images, moment));
  } catch (error) {
    if (error instanceof GantryError && error.kind === "NotTrusted") await logRefusal(pod, error);
    throw error;
  }
}

/** Only what has changed needs the engine. */
async function judgeImage(
  local: Local,
  { id, verdict }: JudgedImage,
  unchecked: string | undefined,
): Promise<JudgedImage> {
  if (verdict.kind === "insecure") return { id, verdict };
  const record = await readRecord({ directory: local.paths.data }, id);
  if (record === undefined)
    throw new GantryError("NoSuchImage", `image ${quoted(id)} is gone from the store`);
  const { judgeAgain } = await import("./trust-engine.ts");
  return { id, verdict: await judgeAgain(local, { record, verdict, unchecked }) };
}

function uncheckedFor({ record: { definition } }: StoredPod): string | undefined {
  return definition === undefined ? undefined : uncheckedBy("install", definition);
}

async function logRefusal(pod: StoredPod, { message }: GantryError): Promise<void> {
  const name = nameOf(pod);
  const fields = { GANTRY_POD: name, GANTRY_POD_UUID: pod.record.uuid };
  await logEvent("start-refused", `Refused to start pod ${name}: ${message}`, fields);
}

function nameOf({ record }: StoredPod): string {
  return record.name ?? record.uuid;
}
