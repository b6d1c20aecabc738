/** The manager's side of the conversation with a fetcher (docs/fetcher.md), over two FIFOs. */
import type { Socket } from "node:net";
import { GantryError } from "../base/errors.ts";
import type { Command, Event, Request } from "../inbox/protocol.ts";
import type { Progress } from "../store/progress.ts";
import { type Fifo, readFifo, writeFifo } from "./fifo.ts";
import { readLines } from "./lines.ts";

type Name = Event["event"];

export type Conversation = {
  /** Aborted by the first failure, which is its reason. */
  readonly failed: AbortSignal;
  /** Resolves when everything the fetcher has written is read. */
  readonly over: Promise<void>;
  send(line: Request | Command): void;
  /** The next event of this name. Throws the failure. */
  event<N extends Name>(name: N): Promise<Extract<Event, { event: N }>>;
  /** Counts unless something has failed before. */
  fail(error: unknown): void;
  close(): void;
};

/** What a fetcher tells beyond this, in lines and characters, is not passed on. */
const MOST_LINES = 1000;
const LONGEST_TEXT = 1000;

type State = {
  readonly failure: AbortController;
  readonly waiting: Map<Name, (event: Event) => void>;
  readonly progress?: ((progress: Progress) => void) | undefined;
  readonly received?: ((bytes: number, size: number | undefined) => void) | undefined;
  lines: number;
  /** It was told that nothing more is wanted. */
  ending: boolean;
  /** It has said that it is done, and when it should: whatever comes after that is no failure. */
  done: boolean;
};

export type ConverseOptions = Pick<State, "progress" | "received"> & {
  /** Nothing is read before: what reads is loaded only then. */
  readonly begun: Promise<void>;
};

/** Begins it; both FIFOs are held open by the caller. */
export async function converse(
  { input, output }: { readonly input: Fifo; readonly output: Fifo },
  { progress, received, begun }: ConverseOptions,
): Promise<Conversation> {
  const [reader, writer] = [await readFifo(output), await writeFifo(input)];
  const state: State = {
    ...{ failure: new AbortController(), waiting: new Map(), progress, received },
    ...{ lines: 0, ending: false, done: false },
  };
  writer.on("error", (cause) =>
    fail(state, new GantryError("FetchFailed", "the fetcher can't be told", { cause })),
  );
  const over = listen(state, reader, begun);
  return {
    failed: state.failure.signal,
    over,
    send: (line) => {
      state.ending ||= "end" in line;
      writer.write(`${JSON.stringify(line)}\n`);
    },
    event: (name) => nextEvent(state, name),
    fail: (error) => fail(state, error),
    close: () => {
      reader.destroy();
      writer.destroy();
    },
  };
}

async function listen(state: State, reader: Socket, begun: Promise<void>): Promise<void> {
  try {
    await begun;
    const { Event, LONGEST_LINE } = await import("../inbox/protocol.ts");
    await readLines(reader, LONGEST_LINE, (line) => note(state, parseEvent(Event, line)));
  } catch (error) {
    // Destroyed by ourselves, it was cut off; the failure is another one.
    fail(state, error);
  }
}

function parseEvent(schema: { parse(value: unknown): Event }, line: string): Event {
  try {
    return schema.parse(JSON.parse(line));
  } catch (cause) {
    throw new GantryError("FetchFailed", "the fetcher wrote what is no event", { cause });
  }
}

function note(state: State, event: Event): void {
  switch (event.event) {
    case "progress":
      state.progress?.({ event: "progress", layer: event.digest, bytes: event.bytes });
      break;
    case "received":
      state.received?.(event.bytes, event.size);
      break;
    case "log":
      if (state.lines++ < MOST_LINES) {
        state.progress?.({ event: "log", text: event.text.slice(0, LONGEST_TEXT) });
      }
      break;
    case "failed":
      fail(
        state,
        new GantryError(event.kind, event.text, event.hint === undefined ? {} : { hint: event.hint }),
      );
      break;
    case "done":
      if (!state.ending) throw new GantryError("FetchFailed", "the fetcher ended before it was told to");
      state.done = true;
      break;
    default:
      break;
  }
  const waiter = state.waiting.get(event.event);
  state.waiting.delete(event.event);
  waiter?.(event);
}

function fail(state: State, error: unknown): void {
  if (!state.done && !state.failure.signal.aborted) state.failure.abort(error);
}

async function nextEvent<N extends Name>(state: State, name: N): Promise<Extract<Event, { event: N }>> {
  const { signal } = state.failure;
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const failed = () => reject(signal.reason);
    signal.addEventListener("abort", failed, { once: true });
    state.waiting.set(name, (event) => {
      signal.removeEventListener("abort", failed);
      resolve(event as Extract<Event, { event: N }>);
    });
  });
}
