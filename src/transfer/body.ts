/** Bodies of answers: watched while they come, and read to their end where they are documents. */
import type { IncomingMessage } from "node:http";
import { GantryError } from "../base/errors.ts";
import { exchangeFailure, shownUrl } from "./failure.ts";
import type { Limits } from "./limits.ts";

/** Bytes that are held while nobody asks for them, and then handed on at once: each time costs as much as copying 100 kB. */
const HELD = 512 * 1024;

type Watch = { readonly url: URL; readonly limits: Limits };

/**
 * The bytes of `message`. Silence ends it, and so does a server that keeps the connection alive by a byte now and then;
 * time in which nobody asks for bytes is not counted. Throws FetchFailed, TimedOut.
 */
export async function* watchedBody(message: IncomingMessage, watch: Watch): AsyncGenerator<Buffer> {
  const { url, limits } = watch;
  const silent = () => message.destroy(tooSlow(url, `no byte within ${limits.idle / 1000} s`));
  const pace = paceOf(watch);
  const chunks = heldBody(message);
  try {
    for (;;) {
      const timer = setTimeout(silent, limits.idle);
      const asked = performance.now();
      const { done, value } = await chunks.next().finally(() => clearTimeout(timer));
      if (done === true) return;
      pace(performance.now() - asked, (value as Buffer).length);
      yield value as Buffer;
    }
  } catch (error) {
    throw exchangeFailure(url, error);
  } finally {
    if (!message.complete) message.destroy();
  }
}

/**
 * What has come, in pieces as large as that is. The stream's own iterator drops what it holds when the connection is cut, and a
 * server that cuts each of its answers short would be asked for the same bytes for ever.
 */
async function* heldBody(message: IncomingMessage): AsyncGenerator<Buffer> {
  const held: Buffer[] = [];
  // It may have been cut before anybody asked.
  const state = { size: 0, over: message.destroyed, failure: message.errored, wake: () => {} };
  message.on("data", (chunk: Buffer) => {
    held.push(chunk);
    state.size += chunk.length;
    if (state.size >= HELD) message.pause();
    state.wake();
  });
  message.on("error", (error) => (state.failure = error));
  for (const end of ["end", "close"])
    message.on(end, () => {
      state.over = true;
      state.wake();
    });
  for (;;) {
    if (state.size > 0) {
      const chunks = held.splice(0);
      state.size = 0;
      message.resume();
      yield joined(chunks);
    } else if (state.over) {
      if (state.failure !== null) throw state.failure;
      return;
    } else await new Promise<void>((resolve) => (state.wake = resolve));
  }
}

function joined(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  return first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks);
}

/** Adds up waiting and bytes, and throws TimedOut after each stretch that brought too few. */
function paceOf({ url, limits }: Watch): (waited: number, bytes: number) => void {
  let waiting = 0;
  let bytes = 0;
  return (waited, more) => {
    waiting += waited;
    bytes += more;
    if (waiting < limits.slow) return;
    if (bytes < (limits.rate * waiting) / 1000) {
      throw tooSlow(url, `${bytes} bytes in ${(waiting / 1000).toFixed(1)} s`);
    }
    waiting = 0;
    bytes = 0;
  };
}

function tooSlow(url: URL, what: string): GantryError {
  return new GantryError("TimedOut", `${shownUrl(url)} is too slow: ${what}`);
}

export type BodyLimit = { readonly url: URL; readonly limit: number; readonly length: string | undefined };

/** A body of at most `limit` bytes; what announces more isn't read at all. Throws BadImage. */
export async function readBody(
  body: AsyncIterable<Buffer>,
  { url, limit, length }: BodyLimit,
): Promise<Buffer> {
  if (length !== undefined && Number(length) > limit) throw tooLong(url, limit, `${length} bytes`);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw tooLong(url, limit, "more");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function tooLong(url: URL, limit: number, what: string): GantryError {
  return new GantryError("BadImage", `${shownUrl(url)} has ${what}, the limit is ${limit} bytes`);
}
