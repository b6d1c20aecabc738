/**
 * A D-Bus connection on dbus-next as bare transport: calls with a time limit, signals with their sender, and the
 * loss of the connection told to everybody who waits (dbus-next itself lets them wait forever).
 */
import { type DBusError, type Message, type MessageBus, sessionBus, Message as Telegram } from "dbus-next";
import { errnoOf, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { ErrorReply } from "./errors.ts";
import {
  type Admission,
  BODY_REFUSED,
  ERROR,
  guardMessages,
  METHOD_CALL,
  METHOD_RETURN,
  SIGNAL,
} from "./guard.ts";
import { makeSlots } from "./slots.ts";
import { wireBody } from "./wire.ts";

/** dbus-daemon allows 128 unanswered calls per connection; half of it leaves room for the daemon's own. */
const MAX_IN_FLIGHT = 64;
const CALL_TIMEOUT = 30_000;
const DAEMON = "org.freedesktop.DBus";

/** What is decoded, in bytes. ListUnits of ten thousand units is 3 MiB; a pod manifest is the largest argument. */
const MAX_REPLY_BODY = 32 << 20;
const MAX_SIGNAL_BODY = 1 << 20;
const MAX_STRANGER_BODY = 4 << 10;
const MAX_CALL_BODY = 256 << 10;

export type Call = {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
  readonly flags?: number;
  /** Milliseconds for this call, instead of the connection's. */
  readonly timeout?: number;
};

export type Reply = { readonly sender: string; readonly body: readonly unknown[] };

export type Signal = {
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
};

/** A method call's address: what tells which signature it must have. */
export type CallHead = {
  readonly path: string;
  readonly interface?: string | undefined;
  readonly member: string;
};

/** A call that somebody made to us. */
export type IncomingCall = {
  readonly sender: string;
  readonly serial: number;
  readonly path: string;
  readonly interface: string | undefined;
  readonly member: string;
  readonly signature: string;
  readonly body: readonly unknown[];
  readonly flags: number;
  /** It came with a body that was not decoded: of another signature than expected, or too long. */
  readonly refused: boolean;
};

export type Server = {
  /** The signature of a method as it is served; undefined when there is none. */
  signatureOf(head: CallHead): string | undefined;
  /** Takes the call; answers later by reply() or fail(). Must not throw. */
  handle(call: IncomingCall): void;
};

export type OutgoingSignal = CallHead & {
  readonly interface: string;
  readonly signature: string;
  readonly body: readonly unknown[];
};

export type Bus = AsyncDisposable & {
  /** Our unique name. */
  readonly name: string;
  /** Throws BusFailure for an error reply, GantryError SystemdFailed or TimedOut when there is no reply. */
  call(call: Call): Promise<Reply>;
  /**
   * Any user may send a signal to us: a listener compares `sender` with the owner of the name it trusts. It hears no more
   * once the result is disposed of.
   */
  onSignal(listener: (signal: Signal) => void): Disposable;
  /** Takes the calls that are made to us. */
  serve(server: Server): void;
  reply(call: IncomingCall, result: { readonly signature: string; readonly body: readonly unknown[] }): void;
  fail(call: IncomingCall, error: ErrorReply): void;
  emit(signal: OutgoingSignal): void;
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
  const link: Link = { owners: new Set([DAEMON]), server: undefined };
  const connection = connect(options.address ?? systemBusAddress(), link);
  const lost = lossOf(connection);
  await Promise.race([lost, helloOf(connection)]);
  return busOn({ ...{ connection, link, lost }, timeout: options.timeout ?? CALL_TIMEOUT });
}

function connect(address: string, link: Link): MessageBus {
  try {
    // What the guard needs to know passes through the options; the session bus is just "a bus at an address".
    const options = { busAddress: address, admit: admissionOf(link) };
    return sessionBus(options as { busAddress: string });
  } catch (error) {
    throw new GantryError("SystemdFailed", "cannot connect to the system bus", { cause: error });
  }
}

function systemBusAddress(): string {
  return process.env["DBUS_SYSTEM_BUS_ADDRESS"] ?? "unix:path=/run/dbus/system_bus_socket";
}

/**
 * Replies come only from whom we called. Any user may send a signal: from strangers only small ones are decoded, and
 * no listener believes them before it has compared the sender. Calls are decoded when they fit what is served.
 */
function admissionOf(link: Link): Admission {
  return (head, length) => {
    if (head.type === METHOD_CALL) {
      const expected = head.member === undefined ? undefined : link.server?.signatureOf(head as CallHead);
      return expected === head.signature && length <= MAX_CALL_BODY;
    }
    if (head.type !== SIGNAL) return length <= MAX_REPLY_BODY;
    return length <= (link.owners.has(head.sender ?? "") ? MAX_SIGNAL_BODY : MAX_STRANGER_BODY);
  };
}

type Link = {
  /** Unique names that have answered a call of ours. */
  readonly owners: Set<string>;
  server: Server | undefined;
};

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

type Wiring = {
  readonly connection: MessageBus;
  readonly link: Link;
  readonly lost: Promise<never>;
  readonly timeout: number;
};

function busOn(wiring: Wiring): Bus {
  const { connection, link, lost } = wiring;
  const slots = makeSlots(MAX_IN_FLIGHT);
  return {
    name: (connection as unknown as { name: string }).name,
    lost,
    call: (call) => slots(() => Promise.race([lost, callOnce(wiring, call)])),
    onSignal: (listener) => {
      const hear = (message: Message) => {
        if (Number(message.type) === SIGNAL) listener(message as unknown as Signal);
      };
      connection.on("message", hear);
      return { [Symbol.dispose]: () => void connection.off("message", hear) };
    },
    serve: (server) => {
      link.server = server;
      connection.addMethodHandler((message: Message) => {
        server.handle(incomingCall(message));
        return true;
      });
    },
    reply: ({ sender, serial }, { signature, body }) => {
      send(connection, { type: METHOD_RETURN, destination: sender, replySerial: serial, signature, body });
    },
    fail: ({ sender, serial }, { name, text }) => {
      const errorName = name;
      send(connection, {
        ...{ type: ERROR, destination: sender, replySerial: serial, errorName },
        ...{ signature: "s", body: [text] },
      });
    },
    emit: (signal) => send(connection, { type: SIGNAL, ...signal }),
    [Symbol.asyncDispose]: async () => {
      streamOf(connection).removeAllListeners("close");
      streamOf(connection).destroy();
    },
  };
}

function incomingCall(message: Message): IncomingCall {
  const flags = Number(message.flags);
  return {
    ...{ sender: message.sender, serial: message.serial ?? 0, path: message.path },
    ...{ interface: message.interface, member: message.member },
    ...{ signature: message.signature, body: message.body, flags },
    refused: (flags & BODY_REFUSED) !== 0,
  };
}

type Outgoing = {
  readonly type: number;
  readonly signature: string;
  readonly body: readonly unknown[];
  readonly [field: string]: unknown;
};

function send(connection: MessageBus, message: Outgoing): void {
  connection.send(new Telegram({ ...message, body: wireBody(message.signature, message.body) }));
}

async function callOnce({ connection, link, timeout }: Wiring, call: Call): Promise<Reply> {
  const { body, timeout: ownTimeout, ...rest } = call;
  const message = new Telegram({ ...rest, body: body === undefined ? [] : [...body] });
  const deadline = deadlineOf(call, ownTimeout ?? timeout);
  try {
    const reply = await Promise.race([connection.call(message), deadline.passed]);
    if ((Number(reply?.flags) & BODY_REFUSED) !== 0) throw oversized(call);
    link.owners.add(reply?.sender ?? "");
    return { sender: reply?.sender ?? "", body: reply?.body ?? [] };
  } catch (error) {
    throw isErrorReply(error) ? new BusFailure(error.type, error.text ?? "") : error;
  } finally {
    deadline.cancel();
  }
}

function oversized(call: Call): GantryError {
  return new GantryError(
    "SystemdFailed",
    `the answer of ${quoted(call.destination)} to ${call.member} cannot be read`,
  );
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
