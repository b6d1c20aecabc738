/** Long work as objects: begun by a call that is answered at once, watched and cancelled by their paths. */
import { randomBytes } from "node:crypto";
import { GantryError } from "../base/errors.ts";
import { withoutSecrets } from "../base/text.ts";
import { BusError, type ErrorReply, errorReply, isUnforeseen } from "../bus/errors.ts";

/** Of what runs at a time; the rest waits in phase "queued". PID 1 is one thread, and so is each disk. */
const MAX_RUNNING = 8;
const MAX_UNFINISHED = 256;
/** Milliseconds that an ended operation can still be looked at. */
const KEPT = 30_000;

/** syslog(3)'s LOG_WARNING and LOG_INFO. */
const WARNING = 4;
const INFO = 6;

/** What the work tells about itself while it is under way. */
export type Progress = {
  readonly signal: AbortSignal;
  phase(phase: string): void;
  /** From 0 to 1. */
  progress(done: number): void;
  log(line: string): void;
  /** The same for what the caller should know even when all goes well. */
  warn(line: string): void;
  /** For programs: what happens. */
  event(what: object): void;
};

/** A snapshot of an operation. Times are microseconds since the epoch, 0 for "not yet". */
export type Operation = {
  readonly id: string;
  readonly kind: string;
  /** Like all texts here without secrets, as everybody may read it. */
  readonly target: string;
  readonly owner: number;
  readonly phase: string;
  readonly progress: number;
  readonly result: string;
  readonly error: ErrorReply;
  readonly started: bigint;
  readonly ended: bigint;
};

export type Work = {
  readonly kind: string;
  readonly target: string;
  readonly owner: number;
  /** Resolves to the operation's result. */
  run(progress: Progress): Promise<string>;
};

export type Listeners = {
  onNew(operation: Operation): void;
  onChanged(operation: Operation, changed: Partial<Operation>): void;
  /** `priority` is syslog(3)'s. */
  onLog(operation: Operation, line: string, priority: number): void;
  onEvent(operation: Operation, json: string): void;
  /** Told of failures that are ours. */
  onFailure(error: unknown, operation: Operation): void;
  /** It is over; its object stays. */
  onEnded(operation: Operation): void;
  /** Its object goes. */
  onForgotten(operation: Operation): void;
};

export type Operations = {
  /** Throws LimitsExceeded when too many are unfinished. */
  begin(work: Work): Operation;
  find(id: string): Operation | undefined;
  list(): readonly Operation[];
  /** Asks it to end; one that has ended is left alone. */
  cancel(id: string): void;
  /** How many have not ended. */
  unfinished(): number;
};

type Entry = { current: Operation; readonly abort: AbortController };

type State = {
  readonly listeners: Listeners;
  readonly entries: Map<string, Entry>;
  readonly waiting: (() => void)[];
  running: number;
};

export function makeOperations(listeners: Listeners): Operations {
  const state: State = { listeners, entries: new Map(), waiting: [], running: 0 };
  return {
    begin: (work) => begin(state, work),
    find: (id) => state.entries.get(id)?.current,
    list: () => [...state.entries.values()].map(({ current }) => current),
    cancel: (id) => state.entries.get(id)?.abort.abort(),
    unfinished: () => unfinished(state),
  };
}

function begin(state: State, work: Work): Operation {
  if (unfinished(state) >= MAX_UNFINISHED) {
    throw new BusError("LimitsExceeded", `${MAX_UNFINISHED} operations are unfinished.`);
  }
  const entry: Entry = { current: newOperation(work), abort: new AbortController() };
  state.entries.set(entry.current.id, entry);
  state.listeners.onNew(entry.current);
  void perform(state, entry, work);
  return entry.current;
}

function newOperation({ kind, target, owner }: Work): Operation {
  return {
    ...{ id: randomBytes(6).toString("hex"), kind, target: withoutSecrets(target), owner },
    ...{ phase: "queued", progress: 0, result: "", error: { name: "", text: "" } },
    ...{ started: now(), ended: 0n },
  };
}

async function perform(state: State, entry: Entry, work: Work): Promise<void> {
  await slot(state);
  try {
    entry.abort.signal.throwIfAborted();
    change(state, entry, { phase: "running" });
    const result = await work.run(progressOf(state, entry));
    end(state, entry, { phase: "done", progress: 1, result });
  } catch (error) {
    end(state, entry, failureOf(state, entry, error));
  } finally {
    state.running -= 1;
    state.waiting.shift()?.();
  }
}

async function slot(state: State): Promise<void> {
  while (state.running >= MAX_RUNNING) await new Promise<void>((resolve) => state.waiting.push(resolve));
  state.running += 1;
}

function progressOf(state: State, entry: Entry): Progress {
  return {
    signal: entry.abort.signal,
    phase: (phase) => change(state, entry, { phase }),
    progress: (done) => {
      // A step below a percent would only keep the bus busy.
      if (done >= entry.current.progress + 0.01) change(state, entry, { progress: Math.min(done, 1) });
    },
    log: (line) => state.listeners.onLog(entry.current, withoutSecrets(line), INFO),
    warn: (line) => state.listeners.onLog(entry.current, withoutSecrets(line), WARNING),
    event: (what) => state.listeners.onEvent(entry.current, publishedJson(what)),
  };
}

/** Cleaned before it is JSON: in a quoted URL the backslash of a quote would go with the query. */
function publishedJson(what: object): string {
  return JSON.stringify(what, (_, value) => (typeof value === "string" ? withoutSecrets(value) : value));
}

function failureOf(state: State, entry: Entry, error: unknown): Partial<Operation> {
  const { target } = entry.current;
  if (entry.abort.signal.aborted) {
    const cancelled = new GantryError("Cancelled", `work on ${target} was cancelled`);
    return { phase: "cancelled", error: errorReply(cancelled) };
  }
  if (isUnforeseen(error)) state.listeners.onFailure(error, entry.current);
  const { name, text } = errorReply(error);
  return { phase: "failed", error: { name, text: withoutSecrets(text) } };
}

function end(state: State, entry: Entry, outcome: Partial<Operation>): void {
  change(state, entry, { ...outcome, ended: now() });
  state.listeners.onEnded(entry.current);
  setTimeout(() => {
    state.entries.delete(entry.current.id);
    state.listeners.onForgotten(entry.current);
    // The process may end before that; nobody waits for the object to go.
  }, KEPT).unref();
}

function change(state: State, entry: Entry, changed: Partial<Operation>): void {
  entry.current = { ...entry.current, ...changed };
  state.listeners.onChanged(entry.current, changed);
}

function unfinished(state: State): number {
  return [...state.entries.values()].filter(({ current }) => current.ended === 0n).length;
}

function now(): bigint {
  return BigInt(Date.now()) * 1000n;
}
