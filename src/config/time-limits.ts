/** How long servers may take, as registries.d has it: in seconds; the fetcher is told milliseconds. */
import * as z from "zod";
import type { TimeLimits } from "../inbox/protocol.ts";

const Seconds = z.number().positive().max(86_400);

export const LimitsEntry = z.strictObject({
  connect: Seconds.optional(),
  idle: Seconds.optional(),
  /** Bytes a second, on average over `slow`. */
  rate: z.int().nonnegative().optional(),
  slow: Seconds.optional(),
  document: Seconds.optional(),
  attempts: z.int().min(1).max(100).optional(),
});
export type LimitsEntry = z.infer<typeof LimitsEntry>;

/** The limits of a request; of the entries the later ones go before the earlier. */
export function timeLimits(...entries: readonly (LimitsEntry | undefined)[]): {
  readonly limits?: TimeLimits;
} {
  const { rate, attempts, ...seconds }: LimitsEntry = Object.assign({}, ...entries);
  const times = Object.entries(seconds).map(([name, value = 0]) => [name, Math.ceil(value * 1000)] as const);
  const limits: TimeLimits = {
    ...Object.fromEntries(times),
    ...(rate === undefined ? {} : { rate }),
    ...(attempts === undefined ? {} : { attempts }),
  };
  return Object.keys(limits).length === 0 ? {} : { limits };
}
