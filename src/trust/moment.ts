/** A judgement's place in time: the trust generation it was made in, and how long it is good. */
import * as z from "zod";
import type { Verdict } from "../image/verdict.ts";
import { readGeneration } from "./generation.ts";

/** What a stamp has of it; times are seconds since the epoch. */
export const STAMPED = {
  generation: z.string().regex(/^[0-9a-f]{32}$/),
  since: z.int().nonnegative(),
  /** When the first key or signature among those relied on ends to be good; absent: none does. */
  until: z.int().nonnegative().optional(),
} as const;

export type Moment = { readonly generation: string; readonly since: number };
export type Span = Moment & { readonly until?: number | undefined };

/** The state of trust now. It is read before a judgement, which a change meanwhile then voids. */
export function presentMoment(): Moment {
  return { generation: readGeneration(), since: Math.floor(Date.now() / 1000) };
}

/** Of a judgement that was made in `moment` and gave these verdicts. Pure. */
export function spanOf(verdicts: readonly Verdict[], moment: Moment): Span {
  const ends = verdicts.flatMap((verdict) =>
    "expires" in verdict && verdict.expires !== undefined ? [verdict.expires] : [],
  );
  return ends.length === 0 ? moment : { ...moment, until: Math.floor(Math.min(...ends) / 1_000_000) };
}

/** Whether nothing has changed since. A clock that was set back says nothing of keys that were not valid yet. Pure. */
export function isGood({ generation, since, until = Number.POSITIVE_INFINITY }: Span, now: Moment): boolean {
  return generation === now.generation && since <= now.since && now.since < until;
}
