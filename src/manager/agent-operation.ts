/** An operation of the agent's, from the call that begins it to its result. */
import { GantryError } from "../base/errors.ts";
import { callMethod, type Peer, readProperties } from "../bus/client.ts";
import type { Bus, Signal } from "../bus/connection.ts";
import type { PropertiesOf } from "../bus/table.ts";
import { OPERATION } from "../interface/operation.ts";
import { BUS_NAME, ROOT_PATH } from "../interface/tables.ts";
import { type AgentLink, errorOf } from "./agent-link.ts";

const DAEMON = "org.freedesktop.DBus";
const RULES = [
  `type='signal',sender='${BUS_NAME}',path_namespace='${ROOT_PATH}/operation'`,
  `type='signal',sender='${DAEMON}',interface='${DAEMON}',member='NameOwnerChanged',arg0='${BUS_NAME}'`,
];

/** syslog(3)'s LOG_WARNING: what the user should know. */
export const WARNING = 4;

export type WorkOptions = {
  readonly onLog?: (line: string, priority: number) => void;
  readonly onEvent?: (json: string) => void;
  /** Cancels the operation; it then fails with Cancelled. */
  readonly signal?: AbortSignal;
};

type State = PropertiesOf<typeof OPERATION>;

/** Begins work by a call that gives an operation, and waits for its result. Throws what the agent says. */
export async function work(
  agent: AgentLink,
  begin: (manager: Peer) => Promise<string>,
  options: WorkOptions = {},
): Promise<string> {
  return await agent.demand(async (manager) => {
    using signals = collectSignals(manager.bus);
    await using _matches = await matchSignals(manager.bus);
    const path = await begin(manager);
    const agentName = String(await askDaemon(manager.bus, "GetNameOwner", BUS_NAME));
    // Its unique name: a new agent would know nothing of the operation.
    const operation = { bus: manager.bus, destination: agentName, path };
    const cancel = () => void cancelOperation(operation);
    options.signal?.addEventListener("abort", cancel);
    if (options.signal?.aborted === true) cancel();
    try {
      return await resultOf({ operation, agent: agentName, signals }, options);
    } finally {
      options.signal?.removeEventListener("abort", cancel);
    }
  });
}

/** One connection does many operations one after the other, and may have only so many rules. */
async function matchSignals(bus: Bus): Promise<AsyncDisposable> {
  const ask = async (member: string) => await Promise.all(RULES.map((rule) => askDaemon(bus, member, rule)));
  await ask("AddMatch");
  return {
    [Symbol.asyncDispose]: async () => {
      // Without the connection they are gone as well.
      await ask("RemoveMatch").catch(() => {});
    },
  };
}

type Signals = Disposable & {
  /** What has come since the last question. */
  take(): Signal[];
  /** Resolves when there is something to take. */
  arrival(): Promise<void>;
};

/** Signals in the order of their arrival, from now on: the work may end before the call that begins it is answered. */
function collectSignals(bus: Bus): Signals {
  const arrived: Signal[] = [];
  let wake = () => {};
  const listening = bus.onSignal((signal) => {
    arrived.push(signal);
    wake();
  });
  return {
    [Symbol.dispose]: () => listening[Symbol.dispose](),
    take: () => arrived.splice(0),
    arrival: async () => {
      if (arrived.length > 0) return;
      await Promise.race([bus.lost, new Promise<void>((resolve) => (wake = resolve))]);
    },
  };
}

async function askDaemon(bus: Bus, member: string, argument: string): Promise<unknown> {
  const path = "/org/freedesktop/DBus";
  const call = { destination: DAEMON, path, interface: DAEMON, member, signature: "s", body: [argument] };
  return (await bus.call(call)).body[0];
}

async function cancelOperation(operation: Peer): Promise<void> {
  // It may have ended in the meantime, which is as good.
  await callMethod(operation, [OPERATION, "Cancel"], {}).catch(() => {});
}

type Following = { readonly operation: Peer; readonly agent: string; readonly signals: Signals };

/** What was said before the state that is read has arrived before it; so has, now and then, what was said after it. */
async function resultOf(following: Following, options: WorkOptions): Promise<string> {
  const { operation, signals } = following;
  for (;;) {
    const state = await readProperties(operation, OPERATION);
    const said = signals.take();
    for (const signal of said) noteSignal(following, signal, options);
    if (state.Ended !== 0n) return finalResult(state);
    if (said.length === 0) await signals.arrival();
  }
}

/** Anybody may send us a signal: only the agent's words are passed on, only the daemon's news of it believed. */
function noteSignal({ operation, agent }: Following, signal: Signal, options: WorkOptions): void {
  const { sender, path, member, body } = signal;
  if (sender === agent && path === operation.path) {
    if (member === "LogMessage") options.onLog?.(String(body[1]), Number(body[0]));
    if (member === "Event") options.onEvent?.(String(body[0]));
  }
  if (sender !== DAEMON || member !== "NameOwnerChanged" || body[1] !== agent) return;
  throw new GantryError("SystemdFailed", "the agent ended in the middle of the work", {
    hint: "journalctl -u gantry-agent.service",
  });
}

function finalResult({ Error: [name, text], Result }: State): string {
  if (name === "") return Result;
  throw errorOf(name, text);
}
