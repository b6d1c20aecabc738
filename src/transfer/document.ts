/** Documents: small answers that are read whole before anything is made of them. */
import type { IncomingHttpHeaders } from "node:http";
import { GantryError } from "../base/errors.ts";
import { type Attempts, isPassingStatus, persistently, withPause } from "./attempts.ts";
import { readBody } from "./body.ts";
import type { Client } from "./client.ts";
import type { Answer, HttpRequest } from "./exchange.ts";
import { shownUrl } from "./failure.ts";
import { follow } from "./redirect.ts";

export type Document = {
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
};

export type DocumentRequest = HttpRequest & {
  /** The most bytes a good answer may have. */
  readonly limit: number;
  readonly attempts?: Pick<Attempts, "most" | "longest">;
};

/** What a server may say about a failure. */
const COMPLAINT_LIMIT = 64 * 1024;

/**
 * Asks for a document, again where that may help, and gives the last answer whatever its status. All attempts together
 * are bounded in time. Throws FetchFailed, TimedOut, BadImage for one that is too long.
 */
export async function fetchDocument(client: Client, request: DocumentRequest): Promise<Document> {
  const until = performance.now() + client.limits.document;
  const signal = AbortSignal.timeout(client.limits.document);
  let last: Document | undefined;
  try {
    const what = shownUrl(request.url);
    return await persistently(client, { what, until, ...request.attempts }, async () => {
      last = undefined;
      last = await readDocument(client, { ...request, signal });
      if (!isPassingStatus(last.status)) return last;
      throw withPause(new GantryError("FetchFailed", `${shownUrl(last.url)} answers ${last.status}`), last);
    });
  } catch (error) {
    // The last of answers that might have passed is still an answer.
    if (last !== undefined) return last;
    throw signal.aborted ? tooLong(request.url, client.limits.document) : error;
  }
}

async function readDocument(client: Client, request: DocumentRequest): Promise<Document> {
  const answer = await follow(client, request);
  const { url, status, headers } = answer;
  const good = status >= 200 && status < 300;
  const length = headers["content-length"];
  try {
    if (good) refusePacked(answer);
    if (request.method === "HEAD") return { url, status, headers, bytes: Buffer.alloc(0) };
    const limit = good ? request.limit : COMPLAINT_LIMIT;
    return { url, status, headers, bytes: await readBody(answer.body, { url, limit, length }) };
  } finally {
    answer.close();
  }
}

/** Nothing was asked to be packed; unpacking what a stranger sends has no bound that would be known beforehand. */
function refusePacked({ url, headers }: Answer): void {
  const coding = headers["content-encoding"];
  if (coding === undefined || coding === "identity") return;
  throw new GantryError("BadImage", `${shownUrl(url)} comes in the content coding ${coding}, not asked for`);
}

function tooLong(url: URL, limit: number): GantryError {
  return new GantryError("TimedOut", `${shownUrl(url)} was not there within ${limit / 1000} s`);
}
