/**
 * Owning a well-known name until nobody needs it, and letting go of it without losing a call. The name is released
 * first; one round trip to the daemon then proves that every call it routed to us before has been read; what arrived
 * is served; only then the process may end. Calls made later start a new process.
 */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Bus } from "./connection.ts";

const DAEMON = "org.freedesktop.DBus";
const DO_NOT_QUEUE = 4;
const PRIMARY_OWNER = 1;

export type OwnershipOptions = {
  readonly bus: Bus;
  readonly name: string;
  /** Milliseconds without need until the name is given up. */
  readonly idle: number;
  /** Whether something is left to do: an unanswered call, work. */
  busy(): boolean;
  /** Whether somebody wants the process to stay though it has nothing to do: a subscriber. */
  wanted(): boolean;
};

export type Ownership = {
  /** To be called whenever busy() or wanted() may have changed. */
  touch(): void;
  /** Lets go of the name and ends once nothing is left to do; what systemd's SIGTERM asks for. */
  close(): void;
  /** Resolves when the name is released and nothing is left to do. Rejects when the connection is lost. */
  readonly ended: Promise<void>;
};

/** Takes the name. Throws SystemdFailed when somebody else has it. */
export async function ownName(options: OwnershipOptions): Promise<Ownership> {
  await takeName(options);
  const state = makeState(options);
  const ownership = {
    touch: () => touch(state),
    close: () => close(state),
    ended: Promise.race([options.bus.lost, state.drained]),
  };
  ownership.touch();
  return ownership;
}

type State = {
  readonly options: OwnershipOptions;
  readonly drained: Promise<void>;
  timer: NodeJS.Timeout | undefined;
  phase: "open" | "releasing" | "draining";
  finish(error?: unknown): void;
};

function makeState(options: OwnershipOptions): State {
  let finish: State["finish"] = () => {};
  const drained = new Promise<void>((resolve, reject) => {
    finish = (error) => (error === undefined ? resolve() : reject(error));
  });
  return { options, drained, timer: undefined, phase: "open", finish };
}

async function takeName({ bus, name }: OwnershipOptions): Promise<void> {
  const reply = await daemon(bus, "RequestName", { signature: "su", body: [name, DO_NOT_QUEUE] });
  if (reply.body[0] === PRIMARY_OWNER) return;
  throw new GantryError("SystemdFailed", `the bus name ${quoted(name)} is taken`);
}

function touch(state: State): void {
  clearTimeout(state.timer);
  const busy = state.options.busy();
  if (state.phase === "draining" && !busy) state.finish();
  if (state.phase !== "open" || busy || state.options.wanted()) return;
  state.timer = setTimeout(() => close(state), state.options.idle);
}

function close(state: State): void {
  if (state.phase !== "open") return;
  state.phase = "releasing";
  clearTimeout(state.timer);
  letGo(state.options).then(
    () => {
      state.phase = "draining";
      touch(state);
    },
    (error) => state.finish(error),
  );
}

async function letGo({ bus, name }: OwnershipOptions): Promise<void> {
  await daemon(bus, "ReleaseName", { signature: "s", body: [name] });
  // The answer comes after everything the daemon had queued for us.
  await daemon(bus, "GetId");
}

async function daemon(
  bus: Bus,
  member: string,
  args: { signature?: string; body?: readonly unknown[] } = {},
) {
  return await bus.call({
    destination: DAEMON,
    path: "/org/freedesktop/DBus",
    interface: DAEMON,
    member,
    ...args,
  });
}
