/**
 * A prepared pod's trust stamp, `trust.json`: which images it relies on and why they may run, under which trust
 * generation that was judged, and until when it is good. native/trust/stamp.c compares it at every start
 * (docs/on-disk-format.md).
 */
import { join } from "node:path";
import * as z from "zod";
import { writeFileDurably } from "../base/file.ts";
import { type ImageRecord, Verdict } from "../image/record.ts";
import { type Moment, STAMPED, spanOf } from "../trust/moment.ts";
import { readDocument } from "./layout.ts";

export const TRUST_STAMP = "trust.json";

export const TrustStamp = z.strictObject({
  version: z.literal(1),
  ...STAMPED,
  /** An `insecure` verdict is the operator's word for this pod, and for no other. */
  images: z.array(z.strictObject({ id: z.string(), verdict: Verdict })),
});
export type TrustStamp = z.infer<typeof TrustStamp>;

export type JudgedImage = Pick<ImageRecord, "id" | "verdict">;

/** Pure. */
export function makeTrustStamp(judged: Iterable<JudgedImage>, moment: Moment): TrustStamp {
  // Two apps may have one image by two names, whose keys need not be the same.
  const images = [...judged].map(
    ({ id, verdict }) => [JSON.stringify([id, verdict]), { id, verdict }] as const,
  );
  const distinct = [...new Map(images).values()];
  const verdicts = distinct.map(({ verdict }) => verdict);
  return { version: 1, ...spanOf(verdicts, moment), images: distinct };
}

/** The stamp of the pod in `directory`, undefined when it has none. Throws StoreCorrupt. */
export async function readTrustStamp(directory: string): Promise<TrustStamp | undefined> {
  return await readDocument(join(directory, TRUST_STAMP), TrustStamp);
}

/** Throws StoreFull. */
export async function writeTrustStamp(directory: string, stamp: TrustStamp): Promise<void> {
  await writeFileDurably(join(directory, TRUST_STAMP), `${JSON.stringify(stamp)}\n`);
}
