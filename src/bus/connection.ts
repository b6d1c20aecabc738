/**
 * A D-Bus connection on dbus-next as bare transport: calls with a time limit, signals with their sender, and the
 * loss of the connection told to everybody who waits (dbus-next itself lets them wait forever).
 */
import { type DBusError, type Message, type MessageBus, systemBus, Message as Telegram } from "dbus-next";
import { errnoOf, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { guardMessages } from "./guard.ts";

/** dbus-daemon allows 128 unanswered calls per connection; half of it leaves room for the daemon's own. */
const MAX_IN_FLIGHT = 64;
const CALL_TIMEOUT = 30_000;

export type Call = {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
};

export type Reply = { readonly sender: string; readonly body: readonly unknown[] };

export type Signal = {
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
};

export type Bus = AsyncDisposable & {
  /** Throws BusFailure for an error reply, GantryError SystemdFailed or TimedOut when there is no reply. */
  call(call: Call): Promise<Reply>;
  onSignal(listener: (signal: Signal) => void): void;
  /** Rejects when the connection is lost; never resolves. */
  readonly lost: Promise<never>;
};

/** An error reply: `name` is the D-Bus error name. */
export class BusFailure extends Error {
  readonly errorName: string;

  constructor(errorName: string, text: string) {
    super(text);
    this.name = errorName;
    this.errorName = errorName;
  }
}

/** Connects and says Hello. Throws SystemdFailed when there is no bus at `address`. */
export async function openBus(options: { address?: string; timeout?: number } = {}): Promise<Bus> {
  guardMessages();
  const connection = connect(options.address);
  const lost = lossOf(connection);
  await Promise.race([lost, helloOf(connection)]);
  return busOn(connection, lost, options.timeout ?? CALL_TIMEOUT);
}

function connect(address: string | undefined): MessageBus {
  const before = process.env["DBUS_SYSTEM_BUS_ADDRESS"];
  if (address !== undefined) process.env["DBUS_SYSTEM_BUS_ADDRESS"] = address;
  try {
    return systemBus();
  } catch (error) {
    throw new GantryError("SystemdFailed", "cannot connect to the system bus", { cause: error });
  } finally {
    restoreAddress(before);
  }
}

/** dbus-next takes the address of the system bus from the environment only. */
function restoreAddress(before: string | undefined): void {
  if (before === undefined) delete process.env["DBUS_SYSTEM_BUS_ADDRESS"];
  else process.env["DBUS_SYSTEM_BUS_ADDRESS"] = before;
}

type Stream = NodeJS.EventEmitter & { destroy(): void; unref(): void; end(): void };

/** The socket below the connection; dbus-next tells neither its end nor its close. */
function streamOf(connection: MessageBus): Stream {
  return (connection as unknown as { _connection: { stream: Stream } })._connection.stream;
}

function lossOf(connection: MessageBus): Promise<never> {
  const lost = new Promise<never>((_, reject) => {
    const fail = (error?: unknown) => reject(lossError(error));
    connection.on("error", fail);
    streamOf(connection).on("close", () => fail());
  });
  // Whoever waits races against it; when nobody does, the loss is no failure of anything.
  lost.catch(() => {});
  return lost;
}

function lossError(cause: unknown): GantryError {
  const reason = errnoOf(cause);
  const text =
    reason === undefined
      ? "the connection to the system bus was lost"
      : `cannot reach the system bus: ${reason}`;
  return new GantryError("SystemdFailed", text, {
    cause,
    hint: "is systemd running on this host, and dbus.socket active?",
  });
}

function helloOf(connection: MessageBus): Promise<void> {
  return new Promise((resolve) => connection.on("connect", () => resolve()));
}

function busOn(connection: MessageBus, lost: Promise<never>, timeout: number): Bus {
  const slots = makeSlots(MAX_IN_FLIGHT);
  return {
    lost,
    call: (call) => slots(() => Promise.race([lost, callOnce(connection, call, timeout)])),
    onSignal: (listener) => {
      connection.on("message", (message: Message) => {
        if (message.type === SIGNAL) listener(message as unknown as Signal);
      });
    },
    [Symbol.asyncDispose]: async () => {
      streamOf(connection).removeAllListeners("close");
      streamOf(connection).destroy();
    },
  };
}

const SIGNAL = 4;

async function callOnce(connection: MessageBus, call: Call, timeout: number): Promise<Reply> {
  const { body, ...rest } = call;
  const message = new Telegram({ ...rest, body: body === undefined ? [] : [...body] });
  const deadline = deadlineOf(call, timeout);
  try {
    const reply = await Promise.race([connection.call(message), deadline.passed]);
    return { sender: reply?.sender ?? "", body: reply?.body ?? [] };
  } catch (error) {
    throw isErrorReply(error) ? new BusFailure(error.type, error.text ?? "") : error;
  } finally {
    deadline.cancel();
  }
}

function isErrorReply(error: unknown): error is DBusError {
  return error instanceof Error && "type" in error && typeof error.type === "string" && "text" in error;
}

function deadlineOf(call: Call, timeout: number): { passed: Promise<never>; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    const text = `no answer to ${call.member} from ${quoted(call.destination)} within ${timeout} ms`;
    timer = setTimeout(() => reject(new GantryError("TimedOut", text)), timeout);
  });
  return { passed, cancel: () => clearTimeout(timer) };
}

/** At most `count` tasks run at once; the others wait in order. */
function makeSlots(count: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = count;
  return async (task) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
