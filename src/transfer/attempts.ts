/** Trying again: how often, after which pause, and who says so. */
import { setTimeout as sleep } from "node:timers/promises";
import { GantryError } from "../base/errors.ts";
import type { Client } from "./client.ts";
import type { Answer } from "./exchange.ts";
import { isPassing } from "./failure.ts";

/** Answers of a server that may fare better in a moment. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

export type Attempts = {
  /** Names what is tried, for the log. */
  readonly what: string;
  /** Attempts in all instead of the client's limit. */
  readonly most?: number | undefined;
  /** The longest pause that is worth waiting for, in milliseconds; any that the client honours unless told. */
  readonly longest?: number | undefined;
  /** `performance.now()` after which no attempt begins. */
  readonly until?: number;
};

export function isPassingStatus(status: number): boolean {
  return PASSING.has(status);
}

/** Repeats `attempt` while it fails in a way that may pass. Its last failure, or one that won't pass, is thrown. */
export async function persistently<T>(
  client: Client,
  {
    what,
    most = client.limits.attempts,
    longest = client.limits.longestPause,
    until = Number.POSITIVE_INFINITY,
  }: Attempts,
  attempt: (count: number) => Promise<T>,
): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await attempt(count);
    } catch (error) {
      const pause = pauseAfter(error, count, client);
      if (pause === undefined || count >= most || pause > longest || performance.now() + pause > until)
        throw error;
      client.log(`${withSubject(what, error as Error)}; attempt ${count + 1} of ${most} follows`);
      await sleep(pause);
    }
  }
}

/** Most failures begin with the URL that they are about. */
function withSubject(what: string, { message }: Error): string {
  return message.startsWith(what) ? message : `${what}: ${message}`;
}

/** Milliseconds to wait after a failure, or undefined when trying again is of no use. */
export function pauseAfter(error: unknown, count: number, { limits }: Client): number | undefined {
  const asked = error instanceof GantryError ? requestedPauses.get(error) : undefined;
  if (asked === undefined && !isPassing(error)) return undefined;
  return Math.min(Math.max(limits.pause * 2 ** (count - 1), asked ?? 0), limits.longestPause);
}

/** What servers asked for with Retry-After, by the failure that their answer became: 0 when they named no time. */
const requestedPauses = new WeakMap<GantryError, number>();

/** `error`, which `answer` was told as; when that may pass, trying again makes sense, after the time it names. */
export function withPause(
  error: GantryError,
  { status, headers }: Pick<Answer, "status" | "headers">,
): GantryError {
  if (isPassingStatus(status)) requestedPauses.set(error, retryAfter(headers["retry-after"]));
  return error;
}

/** Retry-After in milliseconds: seconds, or a date. Anything else is 0. */
export function retryAfter(value: string | undefined, now = Date.now()): number {
  if (value === undefined) return 0;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}
