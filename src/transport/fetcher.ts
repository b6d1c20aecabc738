/**
 * A fetcher at work, as the manager sees it: its unit, the conversation (docs/fetcher.md), and the layers it hands on.
 * Its process ends with this object, and with the manager's process, too, since its input then ends.
 */
import { statfs } from "node:fs/promises";
import { basename, join } from "node:path";
import { GantryError } from "../base/errors.ts";
import type {
  AppcRequest,
  Archived,
  ArchiveRequest,
  Event,
  Keys,
  KeysRequest,
  RegistryRequest,
  Request,
  Resolved,
} from "../inbox/protocol.ts";
import type { LayerStream } from "../store/import.ts";
import type { Operation } from "../store/operation.ts";
import type { Progress } from "../store/progress.ts";
import type { ServiceOutcome, Systemd } from "../systemd/systemd.ts";
import { type Conversation, converse } from "./conversation.ts";
import { fetchUnit, INBOX, LAYERS, unitName } from "./fetch-unit.ts";
import { type Fifo, makeFifo } from "./fifo.ts";
import { LAYER_MODE, makePlace, type Place } from "./place.ts";

export type FetcherOptions = {
  readonly systemd: Systemd;
  /** gantry-fetcher. */
  readonly program: string;
  readonly operation: Operation;
  /** Makes it fail with Cancelled. */
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((progress: Progress) => void) | undefined;
  /** Hears of bytes of an ACI. */
  readonly received?: ((bytes: number, size: number | undefined) => void) | undefined;
};

/** A request without what the fetcher's place decides. */
export type Errand<R = Request> = R extends Request ? Omit<R, "version" | "directory"> : never;

export type Blob = {
  readonly digest: string;
  readonly size: number;
  readonly urls?: readonly string[] | undefined;
};

/** Whatever is awaited fails with what the fetcher says, or FetchFailed, once it has failed. */
export type Fetcher = AsyncDisposable & {
  /** The directory it writes: an OCI layout once its request is resolved. Nobody trusts what is in it. */
  readonly directory: string;
  /** Aborted when the fetcher fails; the reason is the failure. */
  readonly failed: AbortSignal;
  /** Resolves when its start is systemd's matter, or has failed: a good time to load what is needed later. */
  readonly begun: Promise<void>;
  /** Makes the one request and waits for its answer. */
  resolve(errand: Errand<RegistryRequest>): Promise<Resolved>;
  archive(errand: Errand<ArchiveRequest | AppcRequest>): Promise<Archived>;
  keys(errand: Errand<KeysRequest>): Promise<Keys>;
  /** Has a blob written into a FIFO. Throws StoreFull. */
  stream(blob: Blob): Promise<LayerStream>;
  /** A FIFO that is there from the beginning, to have a reader before it is known what will be written into it. */
  readonly first: string;
  /** Has a blob written into that one, once. */
  streamFirst(blob: Blob): Promise<LayerStream>;
  /** Says that nothing more is wanted. */
  end(): void;
  /** Says so, unless that was said, and waits for its end. */
  finish(): Promise<void>;
};

/** Starts a fetcher; to be disposed of before its operation. Throws StoreFull. */
export async function openFetcher(options: FetcherOptions): Promise<Fetcher> {
  const place = await makePlace(options.operation);
  const { promise: begun, resolve: begin } = awaiting();
  const talk = await converse(place, { ...options, begun });
  const cancel = () => talk.fail(new GantryError("Cancelled", "the fetch was cancelled"));
  options.signal?.addEventListener("abort", cancel);
  if (options.signal?.aborted) cancel();
  const stop = new AbortController();
  const ended = runUnit(options, { place, talk, begin, signal: stop.signal });
  let streams = 0;
  let over = false;
  const done = talk.event("done");
  // Who waits for it, hears of a failure.
  done.catch(() => {});
  const end = () => {
    if (!over) talk.send({ end: true });
    over = true;
  };
  return {
    directory: place.inbox,
    failed: talk.failed,
    begun,
    resolve: (errand) => ask(talk, errand, "resolved"),
    archive: (errand) => ask(talk, errand, "archive"),
    keys: (errand) => ask(talk, errand, "keys"),
    stream: async (blob) =>
      streamBlob(talk, blob, await makeFifo(join(place.layers, String(streams++)), LAYER_MODE)),
    first: place.first.path,
    streamFirst: async (blob) => streamBlob(talk, blob, place.first),
    end,
    finish: async () => {
      end();
      await done;
      await ended;
    },
    [Symbol.asyncDispose]: async () => {
      options.signal?.removeEventListener("abort", cancel);
      stop.abort();
      await ended;
      await place[Symbol.asyncDispose]();
    },
  };
}

async function ask<N extends Event["event"]>({ send, event }: Conversation, errand: Errand, answer: N) {
  send({ ...errand, version: 1, directory: INBOX });
  return await event(answer);
}

type Running = {
  readonly place: Place;
  readonly talk: Conversation;
  readonly begin: () => void;
  readonly signal: AbortSignal;
};

function awaiting(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Resolves when the process has ended, whatever it did; a failure is told through the conversation. */
async function runUnit(options: FetcherOptions, { place, talk, begin, signal }: Running): Promise<void> {
  const { systemd, program, operation } = options;
  const unit = fetchUnit({
    ...{ operation: operation.id, program, root: place.root, bound: place.bound, inbox: place.inbox },
    ...{ layers: place.layers, input: place.input.path, output: place.output.path },
  });
  try {
    const outcome = await systemd.runTransient(unit, { signal, queued: begin });
    await place.output.release();
    await talk.over;
    talk.fail(await unexpectedEnd(outcome, operation));
  } catch (error) {
    talk.fail(error);
  } finally {
    begin();
    talk.close();
  }
}

/** What has not been explained by the fetcher itself. */
async function unexpectedEnd(outcome: ServiceOutcome, { id, directory }: Operation): Promise<GantryError> {
  const { bavail, ffree } = await statfs(directory);
  if (bavail === 0 || ffree === 0) return new GantryError("StoreFull", `no space is left in "${directory}"`);
  const how = outcome.result === "exit-code" ? `status ${outcome.status}` : outcome.result;
  return new GantryError("FetchFailed", `the fetcher ended without a result: ${how}`, {
    hint: `journalctl -u ${unitName(id)}`,
  });
}

function streamBlob(talk: Conversation, { digest, size, urls }: Blob, fifo: Fifo): LayerStream {
  const into = `${LAYERS}/${basename(fifo.path)}`;
  talk.send({ get: [{ digest, size, ...(urls === undefined ? {} : { urls: [...urls] }), into }] });
  return { pipe: fifo.path, [Symbol.asyncDispose]: () => fifo[Symbol.asyncDispose]() };
}
