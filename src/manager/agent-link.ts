/** The way to the agent: a connection that is made when the first call needs it, and its errors as our own. */
import { ERROR_KINDS, type ErrorKind, GantryError } from "../base/errors.ts";
import type { Peer } from "../bus/client.ts";
import type { Bus } from "../bus/connection.ts";
import { BUS_NAME, ROOT_PATH } from "../interface/tables.ts";

/** Milliseconds that a person may take to prove who he is. */
const PATIENCE = 5 * 60_000;

const DENIED = "root may, with sudo, and whoever a rule of polkit's allows the action";

const OURS = "org.gantry1.Error.";
const STANDARD = "org.freedesktop.DBus.Error.";

/** Standard errors that have a kind of ours. */
const KINDS: Readonly<Record<string, ErrorKind>> = {
  AccessDenied: "AccessDenied",
  InteractiveAuthorizationRequired: "AccessDenied",
  InvalidArgs: "Usage",
  NoReply: "TimedOut",
  Timeout: "TimedOut",
};

export type AgentLink = {
  /** Calls the Manager. Throws what the agent answered, SystemdFailed when there is no agent. */
  ask<T>(question: (manager: Peer) => Promise<T>): Promise<T>;
  /** The same for what polkit may ask the user about. */
  demand<T>(question: (manager: Peer) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/** Makes somebody stand by who can ask the user for a password; the disposal ends that. */
export type Authentication = () => Promise<Disposable>;

export function openAgentLink(authentication: Authentication | undefined): AgentLink {
  let bus: Promise<Bus> | undefined;
  const connect = () => {
    bus ??= import("../bus/connection.ts").then(({ openBus }) => openBus());
    return bus;
  };
  const call = async <T>(question: (manager: Peer) => Promise<T>, patience?: number): Promise<T> => {
    const peer = { bus: await connect(), destination: BUS_NAME, path: ROOT_PATH };
    try {
      return await question(patience === undefined ? peer : { ...peer, patience });
    } catch (error) {
      throw await translate(error);
    }
  };
  return {
    ask: (question) => call(question),
    demand: async (question) => {
      using _standby = await authentication?.();
      return await call(question, PATIENCE);
    },
    close: async () => {
      // A connection that failed was reported by whoever needed it.
      const connected = await bus?.catch(() => undefined);
      await connected?.[Symbol.asyncDispose]();
    },
  };
}

async function translate(error: unknown): Promise<unknown> {
  const { BusFailure } = await import("../bus/connection.ts");
  return error instanceof BusFailure ? errorOf(error.errorName, error.message) : error;
}

/** The error that a bus error means: the way back of the agent's own translation. */
export function errorOf(name: string, text: string): GantryError {
  if (name.startsWith(OURS)) {
    const kind = name.slice(OURS.length);
    const hint = kind === "AccessDenied" ? { hint: DENIED } : {};
    return new GantryError(isKind(kind) ? kind : "Internal", text, hint);
  }
  const kind = name.startsWith(STANDARD) ? KINDS[name.slice(STANDARD.length)] : undefined;
  if (kind === "AccessDenied") return new GantryError(kind, text, { hint: DENIED });
  if (kind !== undefined) return new GantryError(kind, text);
  return new GantryError("SystemdFailed", `the agent cannot be reached: ${text}`, {
    hint: "systemctl status gantry-agent.service",
  });
}

function isKind(text: string): text is ErrorKind {
  return Object.hasOwn(ERROR_KINDS, text);
}
