/** Long bodies as one stream, resumed where a connection ended. */

import { setTimeout as sleep } from "node:timers/promises";
import { GantryError } from "../base/errors.ts";
import { pauseAfter, withPause } from "./attempts.ts";
import type { Client } from "./client.ts";
import type { Answer } from "./exchange.ts";
import { shownUrl } from "./failure.ts";

export type Download = {
  /** Names it in messages, such as `layer sha256:…`. */
  readonly what: string;
  /** Asks for it with these headers more. Whatever status it answers is looked at here. */
  readonly open: (headers: Readonly<Record<string, string>>) => Promise<Answer>;
  /** Its size, where that is known; an answer of another size is refused before it is read. */
  readonly size?: number;
  /** The most bytes it may have. */
  readonly limit: number;
  /**
   * Nothing but the server's word says that what it sends later belongs to what it sent first: resume only what bears
   * the same ETag or date. Without it a digest decides in the end.
   */
  readonly mutable?: boolean;
  /** Somebody else can be asked: until the first byte, a failure is the end. */
  readonly elsewhere?: boolean;
  /** Sees the first good answer's headers. */
  readonly begun?: (answer: Answer) => void;
};

/** An attempt that brings this much is no failed one, however it ends. */
const PROGRESS = 1024 * 1024;

type State = {
  done: number;
  size: number | undefined;
  validator: string | undefined;
  failures: number;
};

/**
 * The bytes of a download, each once and in order. Throws FetchFailed, TimedOut; DigestMismatch where sizes disagree,
 * BadImage beyond the limit; NoSuchImage for 404, AccessDenied for 401 and 403.
 */
export async function* download(client: Client, options: Download): AsyncGenerator<Buffer> {
  const state: State = { done: 0, size: options.size, validator: undefined, failures: 0 };
  for (;;) {
    const before = state.done;
    try {
      yield* remainder(options, state);
      return;
    } catch (error) {
      await recover(client, { error, options, state, gained: state.done - before });
    }
  }
}

/** Waits before another attempt, or throws what the last one failed by. */
async function recover(
  client: Client,
  at: { readonly error: unknown; readonly options: Download; readonly state: State; readonly gained: number },
): Promise<void> {
  const { error, options, state, gained } = at;
  state.failures = gained >= PROGRESS ? 1 : state.failures + 1;
  const pause = pauseAfter(error, state.failures, client);
  const hopeless =
    state.done === 0 ? options.elsewhere === true : options.mutable === true && state.validator === undefined;
  if (pause === undefined || hopeless || state.failures >= client.limits.attempts) throw error;
  client.log(`${options.what}: ${(error as Error).message}; it goes on at byte ${state.done}`);
  await sleep(pause);
}

/** One attempt: what is left, from where the last one ended. */
async function* remainder(options: Download, state: State): AsyncGenerator<Buffer> {
  const answer = await options.open(rangeHeaders(options, state));
  try {
    let skip = bytesToSkip(answer, options, state);
    for await (const chunk of answer.body) {
      const fresh = skip >= chunk.length ? undefined : chunk.subarray(skip);
      skip -= Math.min(skip, chunk.length);
      if (fresh === undefined) continue;
      state.done += fresh.length;
      refuseLonger(answer, options, state);
      yield fresh;
    }
  } finally {
    answer.close();
  }
  if (state.size !== undefined && state.done < state.size) throw cut(answer, options, state);
}

function rangeHeaders({ mutable }: Download, { done, validator }: State): Record<string, string> {
  if (done === 0) return {};
  const condition = mutable === true && validator !== undefined ? { "if-range": validator } : {};
  return { range: `bytes=${done}-`, ...condition };
}

/** Holds the answer against what is known; the number of its first bytes that were handed on before. */
function bytesToSkip(answer: Answer, options: Download, state: State): number {
  const { status, url, headers } = answer;
  if (status === 206 && state.done > 0) return checkRange(answer, options, state);
  if (status !== 200) throw badStatus(answer, options);
  const length = headers["content-length"] === undefined ? undefined : Number(headers["content-length"]);
  if (state.done === 0) {
    options.begun?.(answer);
    state.validator = validatorOf(answer);
    checkSize(length, { answer, options, state });
    return 0;
  }
  // The whole of it again. What comes first has been handed on; that it is the same, a validator or the digest says.
  if (options.mutable === true && validatorOf(answer) !== state.validator) throw changed(url, options);
  checkSize(length, { answer, options, state });
  return state.done;
}

function checkSize(
  length: number | undefined,
  { answer, options, state }: { readonly answer: Answer; readonly options: Download; readonly state: State },
): void {
  if (length === undefined) return;
  if (state.size !== undefined && length !== state.size) {
    throw wrongSize(answer, options, `should have ${state.size} bytes, the server offers ${length}`);
  }
  if (length > options.limit) {
    throw tooLong(answer, options, `${length} bytes`);
  }
  state.size = length;
}

function checkRange(answer: Answer, options: Download, state: State): number {
  const range = answer.headers["content-range"] ?? "";
  const [, first, , total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range) ?? [];
  if (options.mutable === true && (validatorOf(answer) ?? state.validator) !== state.validator) {
    throw changed(answer.url, options);
  }
  const right = first === String(state.done);
  if (!right || (state.size !== undefined && total !== "*" && total !== String(state.size))) {
    const message = `${options.what}: ${shownUrl(answer.url)} was asked to go on at byte ${state.done} but sends another part`;
    throw new GantryError("FetchFailed", message);
  }
  return 0;
}

function refuseLonger(answer: Answer, options: Download, { done, size }: State): void {
  if (size !== undefined && done > size) {
    throw wrongSize(answer, options, `should have ${size} bytes, but more come`);
  }
  if (done > options.limit) throw tooLong(answer, options, "more");
}

/** A strong ETag or a date: what If-Range may be asked with (RFC 9110, 13.1.5). */
function validatorOf({ headers }: Answer): string | undefined {
  const { etag, "last-modified": date } = headers;
  return etag !== undefined && !etag.startsWith("W/") ? etag : date;
}

function badStatus(answer: Answer, { what }: Download): GantryError {
  const { status, url } = answer;
  const kind =
    status === 404 ? "NoSuchImage" : status === 401 || status === 403 ? "AccessDenied" : "FetchFailed";
  return withPause(new GantryError(kind, `${what}: ${shownUrl(url)} answers ${status}`), answer);
}

function wrongSize({ url }: Answer, { what }: Download, how: string): GantryError {
  return new GantryError("DigestMismatch", `${what} from ${shownUrl(url)} ${how}`);
}

function tooLong({ url }: Answer, { what, limit }: Download, how: string): GantryError {
  return new GantryError("BadImage", `${what} from ${shownUrl(url)} has ${how}, the limit is ${limit} bytes`);
}

function cut(answer: Answer, { what }: Download, { done, size }: State): GantryError {
  const message = `${what}: ${shownUrl(answer.url)} ended after ${done} of ${size} bytes`;
  return withPause(new GantryError("FetchFailed", message), { status: 503, headers: {} });
}

function changed(url: URL, { what }: Download): GantryError {
  return new GantryError("FetchFailed", `${what} changed on ${shownUrl(url)} while it was transferred`);
}
