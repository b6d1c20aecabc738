/**
 * Asks polkit whether a caller may do something. uid 0 is not asked about, so that everything works for root on hosts
 * without polkit; for everybody else its absence is a refusal.
 */
import { GantryError } from "../base/errors.ts";
import { withoutSecrets } from "../base/text.ts";
import { type Bus, BusFailure } from "../bus/connection.ts";
import { BusError } from "../bus/errors.ts";
import type { Call, Demand } from "../bus/objects.ts";

const DAEMON = "org.freedesktop.DBus";
const POLKIT = "org.freedesktop.PolicyKit1";
const ALLOW_USER_INTERACTION = 1;

/** People look for their password; a question that is older was forgotten. */
const PATIENCE = 5 * 60_000;
const MAX_QUESTIONS = 4;

export type Authority = {
  /** The user behind a unique name. Throws AccessDenied when it has left the bus. */
  uidOf(sender: string): Promise<number>;
  /** Throws AccessDenied, or InteractiveAuthorizationRequired where a question would help but is not allowed. */
  authorize(action: string, demand: Demand, call: Call): Promise<void>;
};

export function makeAuthority(bus: Bus): Authority {
  const questions = makeQuestions();
  return {
    uidOf: (sender) => uidOf(bus, sender),
    authorize: async (action, demand, call) => {
      const uid = await uidOf(bus, call.sender);
      if (uid === 0) return;
      const question = { action, demand, call };
      const { allowed, challenge } = call.interactive
        ? await questions(uid, () => check(bus, question))
        : await check(bus, question);
      if (allowed) return;
      if (challenge && !call.interactive) {
        throw new BusError("InteractiveAuthorizationRequired", "Interactive authentication required.");
      }
      throw denied(action, demand);
    },
  };
}

/** A user who never answers must not use up the connection's calls: a few open questions each are plenty. */
function makeQuestions(): <T>(uid: number, ask: () => Promise<T>) => Promise<T> {
  const open = new Map<number, number>();
  return async (uid, ask) => {
    const before = open.get(uid) ?? 0;
    if (before >= MAX_QUESTIONS) {
      throw new BusError("LimitsExceeded", `${before} questions to user ${uid} are open.`);
    }
    open.set(uid, before + 1);
    try {
      return await ask();
    } finally {
      const left = (open.get(uid) ?? 1) - 1;
      if (left > 0) open.set(uid, left);
      else open.delete(uid);
    }
  };
}

/** Asked of the bus daemon each time: a unique name is never reused, and nothing else is believed. */
async function uidOf(bus: Bus, sender: string): Promise<number> {
  try {
    const reply = await bus.call({
      ...{ destination: DAEMON, path: "/org/freedesktop/DBus", interface: DAEMON },
      ...{ member: "GetConnectionUnixUser", signature: "s", body: [sender] },
    });
    return Number(reply.body[0]);
  } catch (error) {
    if (!(error instanceof BusFailure)) throw error;
    throw new GantryError("AccessDenied", "the caller has left the bus", { cause: error });
  }
}

type Question = { readonly action: string; readonly demand: Demand; readonly call: Call };
type Verdict = { readonly allowed: boolean; readonly challenge: boolean };

async function check(bus: Bus, question: Question): Promise<Verdict> {
  try {
    return await ask(bus, question);
  } catch (error) {
    if (!(error instanceof BusFailure)) throw error;
    // No polkit on this host, or an action it does not know: only root may.
    throw denied(question.action, question.demand, error);
  }
}

async function ask(bus: Bus, { action, demand, call }: Question): Promise<Verdict> {
  const { Variant } = await import("dbus-next");
  const subject = ["system-bus-name", { name: new Variant("s", call.sender) }];
  const flags = call.interactive ? ALLOW_USER_INTERACTION : 0;
  const reply = await bus.call({
    destination: POLKIT,
    path: "/org/freedesktop/PolicyKit1/Authority",
    interface: "org.freedesktop.PolicyKit1.Authority",
    member: "CheckAuthorization",
    signature: "(sa{sv})sa{ss}us",
    body: [subject, action, published(demand), flags, ""],
    ...(call.interactive ? { timeout: PATIENCE } : {}),
  });
  const [allowed, challenge] = reply.body[0] as [boolean, boolean];
  return { allowed, challenge };
}

/** Rules, agents and the journal get to see them. */
function published({ details }: Demand): Demand["details"] {
  return Object.fromEntries(Object.entries(details).map(([name, text]) => [name, withoutSecrets(text)]));
}

function denied(action: string, { details }: Demand, cause?: unknown): GantryError {
  const about = details["pod"] ?? details["image"];
  const object = about === undefined || about === "" ? "" : ` on "${about}"`;
  return new GantryError("AccessDenied", `not authorized for ${action}${object}`, { cause });
}
