/** One ACI from one server, with its signature, into the directory (docs/fetcher.md). */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { storeError } from "../base/file.ts";
import type { Endpoint } from "../discovery/discovery.ts";
import { SIGNATURE_LIMIT, type Signature } from "../image/signature.ts";
import { keepBlob } from "../inbox/layout.ts";
import { ARCHIVE, type Archived, type Known } from "../inbox/protocol.ts";
import { download } from "../transfer/download.ts";
import type { Answer } from "../transfer/exchange.ts";
import { shownUrl } from "../transfer/failure.ts";
import type { Web } from "./web.ts";

export type AciOptions = {
  readonly web: Web;
  readonly directory: string;
  readonly known: readonly Known[];
  readonly size?: number | undefined;
  /** Whether a signature is wanted. */
  readonly signature: boolean;
  readonly received: (bytes: number, size: number | undefined) => void;
};

/** What no ACI anybody made comes near; the disk is the next limit. */
const LARGEST = 16 * 1024 ** 3;

/**
 * Transfers an image, or finds that it is what was known. Throws NoSuchImage, AccessDenied, FetchFailed, TimedOut, BadImage and
 * DigestMismatch for a size that is not as promised, StoreFull.
 */
export async function fetchAci(endpoint: Endpoint, options: AciOptions): Promise<Archived> {
  const { web, known } = options;
  const { image: url } = endpoint;
  const before = known.find((one) => one.url === url);
  if (before?.fresh === true) return unchanged(before, undefined);
  const condition = before?.etag === undefined ? {} : { "if-none-match": before.etag };
  const answer = await web.open(url, condition);
  if (answer.status === 304 && before !== undefined) {
    answer.close();
    return unchanged(before, answer);
  }
  try {
    return await transfer(endpoint, answer, options);
  } finally {
    answer.close();
  }
}

function unchanged({ url }: Known, answer: Answer | undefined): Archived {
  return { event: "archive", url, ...(answer === undefined ? {} : told(answer)) };
}

function told(answer: Answer): Pick<Archived, "etag" | "maxAge"> {
  const { etag } = answer.headers;
  const maxAge = maxAgeOf(answer);
  return { ...(etag === undefined ? {} : { etag }), ...(maxAge === undefined ? {} : { maxAge }) };
}

async function transfer(
  { image: url, signature }: Endpoint,
  first: Answer,
  options: AciOptions,
): Promise<Archived> {
  // Asked for while the image waits, so that one that is promised for later is asked for behind it.
  const wanted = options.signature && first.status === 200 ? signature : undefined;
  const early = wanted === undefined ? undefined : await readSignature(options.web, wanted);
  const size = await receive(url, first, options);
  const late =
    early === "deferred" && wanted !== undefined ? await readSignature(options.web, wanted) : early;
  if (late === "deferred") {
    throw new GantryError(
      "FetchFailed",
      `error downloading the signature file: server asked to defer the download again`,
      {
        hint: `it is ${shownUrl(new URL(wanted ?? url))}`,
      },
    );
  }
  const signatures = late === undefined ? [] : [await keepSignature(options.directory, late)];
  return { event: "archive", url, ...told(first), archive: { size, signatures } };
}

/** Writes the image; of an earlier endpoint's failure nothing stays. */
async function receive(url: string, first: Answer, options: AciOptions): Promise<number> {
  let next: Answer | undefined = first;
  const take = async (headers: Readonly<Record<string, string>>) => {
    const answer = next ?? (await options.web.open(url, headers));
    next = undefined;
    return answer;
  };
  const { size } = options;
  const stream = download(options.web.client, {
    what: "the image",
    open: take,
    limit: size ?? LARGEST,
    mutable: true,
    ...(size === undefined ? {} : { size }),
  });
  const length = first.headers["content-length"];
  return await writeArchive(join(options.directory, ARCHIVE), stream, (bytes) =>
    options.received(bytes, size ?? (length === undefined ? undefined : Number(length))),
  );
}

async function writeArchive(
  path: string,
  stream: AsyncIterable<Buffer>,
  received: (bytes: number) => void,
): Promise<number> {
  await using file = await open(path, "w", 0o644);
  let bytes = 0;
  for await (const chunk of stream) {
    try {
      await file.writeFile(chunk);
    } catch (error) {
      throw storeError(error, path);
    }
    bytes += chunk.length;
    received(bytes);
  }
  return bytes;
}

/** What servers answer here decides nothing: an image without a signature is unsigned, and the trust policy has the word. */
async function readSignature({ read, client }: Web, url: string): Promise<Buffer | "deferred" | undefined> {
  const { status, bytes, url: last } = await read(url, SIGNATURE_LIMIT);
  if (status === 202) return "deferred";
  if (status === 200) return bytes;
  client.log(`no signature: ${shownUrl(last)} answers ${status}`);
  return undefined;
}

async function keepSignature(directory: string, bytes: Buffer): Promise<Signature> {
  const signature = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await keepBlob(directory, signature, bytes);
  return { kind: "openpgp", signature };
}

/** Seconds for which the answer stays good (RFC 9111, 4.2.1); undefined when its server says nothing of it. */
export function maxAgeOf({ headers }: Pick<Answer, "headers">): number | undefined {
  if (headers["cache-control"] === undefined) return undefined;
  const directives = headers["cache-control"]
    .toLowerCase()
    .split(",")
    .map((word) => word.trim());
  if (directives.some((word) => /^(no-store|no-cache)\b/.test(word))) return 0;
  const seconds = directives.flatMap((word) => /^max-age="?(\d{1,10})"?$/.exec(word)?.[1] ?? []).map(Number);
  const age = /^\d{1,10}$/.test(headers.age ?? "") ? Number(headers.age) : 0;
  return Math.min(Math.max((seconds[0] ?? 0) - age, 0), LONGEST_AGE);
}

/** A year: whoever says more means for ever, and clocks are set wrong. */
const LONGEST_AGE = 366 * 86_400;
