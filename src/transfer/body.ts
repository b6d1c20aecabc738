/** Bodies of answers: watched while they come, and read to their end where they are documents. */
import type { IncomingMessage } from "node:http";
import { GantryError } from "../base/errors.ts";
import { exchangeFailure, shownUrl } from "./failure.ts";
import type { Limits } from "./limits.ts";

type Watch = { readonly url: URL; readonly limits: Limits };

/**
 * The bytes of `message`. Silence ends it, and so does a server that keeps the connection alive by a byte now and then;
 * time in which nobody asks for bytes is not counted. Throws FetchFailed, TimedOut.
 */
export async function* watchedBody(message: IncomingMessage, watch: Watch): AsyncGenerator<Buffer> {
  const { url, limits } = watch;
  const silent = () => message.destroy(tooSlow(url, `no byte within ${limits.idle / 1000} s`));
  const pace = paceOf(watch);
  const chunks = message[Symbol.asyncIterator]();
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
