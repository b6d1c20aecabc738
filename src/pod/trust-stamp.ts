/**
 * A prepared pod's trust stamp, `trust.json`: which images it relies on and why they may run, under which trust
 * generation that was judged, and until when it is good. native/trust/stamp.c compares it at every start
 * (docs/on-disk-format.md).
 */
import { join } from "node:path";
import * as z from "zod";
import { writeFileDurably } from "../base/file.ts";
import { type ImageRecord, Verdict } from "../image/record.ts";
import { readDocument } from "./layout.ts";

export const TRUST_STAMP = "trust.json";

export const TrustStamp = z.strictObject({
  version: z.literal(1),
  generation: z.string().regex(/^[0-9a-f]{32}$/),
  /** Seconds since the epoch: when it was judged, and when the first key or signature ends to be good. */
  since: z.int().nonnegative(),
  until: z.int().nonnegative().optional(),
  /** An `insecure` verdict is the operator's word for this pod, and for no other. */
  images: z.array(z.strictObject({ id: z.string(), verdict: Verdict })),
});
export type TrustStamp = z.infer<typeof TrustStamp>;

export type JudgedImage = Pick<ImageRecord, "id" | "verdict">;

/** The state of trust that images are judged in. It is read before the judgement, which a change meanwhile voids. */
export type Moment = Pick<TrustStamp, "generation" | "since">;

/** Pure. */
export function makeTrustStamp(judged: Iterable<JudgedImage>, moment: Moment): TrustStamp {
  const images = [...new Map([...judged].map(({ id, verdict }) => [id, { id, verdict }])).values()];
  const ends = images.flatMap(({ verdict }) => ("expires" in verdict ? [verdict.expires ?? Infinity] : []));
  const until = Math.floor(Math.min(...ends) / 1_000_000);
  return { version: 1, ...moment, ...(Number.isFinite(until) ? { until } : {}), images };
}

/** Whether nothing has changed since. A clock that was set back says nothing of keys that were not valid yet. Pure. */
export function stampHolds({ generation, since, until = Infinity }: TrustStamp, now: Moment): boolean {
  return generation === now.generation && since <= now.since && now.since < until;
}

/** The stamp of the pod in `directory`, undefined when it has none. Throws StoreCorrupt. */
export async function readTrustStamp(directory: string): Promise<TrustStamp | undefined> {
  return await readDocument(join(directory, TRUST_STAMP), TrustStamp);
}

/** Throws StoreFull. */
export async function writeTrustStamp(directory: string, stamp: TrustStamp): Promise<void> {
  await writeFileDurably(join(directory, TRUST_STAMP), `${JSON.stringify(stamp)}\n`);
}
