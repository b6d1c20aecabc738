/**
 * Whether a prepared pod may start: its trust stamp holds, or its images are judged again by the keys and the policy
 * of now (DESIGN section 6). What runs already runs on.
 */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { StoredPod } from "../pod/status.ts";
import {
  type JudgedImage,
  type Moment,
  makeTrustStamp,
  readTrustStamp,
  stampHolds,
  type TrustStamp,
  writeTrustStamp,
} from "../pod/trust-stamp.ts";
import { readGeneration } from "../trust/generation.ts";
import type { Local } from "./local.ts";

/** The state of trust now. */
export function presentMoment(): Moment {
  return { generation: readGeneration(), since: Math.floor(Date.now() / 1000) };
}

/** Throws NotTrusted, which names the image and the reason, and StoreCorrupt for a pod without a stamp. */
export async function requireTrust(local: Local, { entry, record }: StoredPod): Promise<void> {
  const stamp = await readTrustStamp(entry.directory);
  if (stamp === undefined) {
    throw new GantryError("StoreCorrupt", `pod ${quoted(record.name ?? record.uuid)} has no trust stamp`, {
      hint: "remove it and prepare it anew",
    });
  }
  const moment = presentMoment();
  if (stampHolds(stamp, moment)) return;
  await writeTrustStamp(entry.directory, makeTrustStamp(await judgeAgain(local, stamp), moment));
}

async function judgeAgain(_local: Local, { images }: TrustStamp): Promise<JudgedImage[]> {
  return images.map((image) => {
    // The operator's word for this pod is not about keys.
    if (image.verdict.kind === "insecure") return image;
    throw new GantryError("NotTrusted", `image ${quoted(image.id)} cannot be judged`);
  });
}
