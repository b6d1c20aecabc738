/** How long the client waits, and how often it tries; a request may say otherwise (src/inbox/protocol.ts tells what each is). */
import type { TimeLimits } from "../inbox/protocol.ts";

export type Limits = { readonly [name in keyof TimeLimits]-?: number };

export const DEFAULT_LIMITS: Limits = {
  connect: 15_000,
  idle: 60_000,
  slow: 30_000,
  rate: 1024,
  document: 180_000,
  attempts: 5,
  pause: 500,
  longestPause: 60_000,
};

/** The defaults, except where `given` says otherwise. */
export function limitsOf(given: TimeLimits = {}): Limits {
  const names = Object.keys(DEFAULT_LIMITS) as (keyof TimeLimits)[];
  const values = names.map((name) => [name, given[name] ?? DEFAULT_LIMITS[name]]);
  return Object.fromEntries(values) as Limits;
}
