/** The end of systemd's jobs, which it tells by the signal JobRemoved. */
import type { Bus, Reply, Signal } from "../bus/connection.ts";
import type { JobResult } from "./unit.ts";

const SYSTEMD = "org.freedesktop.systemd1";
const MANAGER = "org.freedesktop.systemd1.Manager";
const MATCH = `type='signal',sender='${SYSTEMD}',interface='${MANAGER}',member='JobRemoved'`;

export type Jobs = {
  /** Makes the call, whose reply is the path of a job, and waits for the job's end. */
  result(call: () => Promise<Reply>): Promise<JobResult>;
};

type State = {
  /** Unique name of systemd on the bus: anybody may send a signal that looks like JobRemoved. */
  owner: string;
  /** Calls whose reply has not come yet. */
  calling: number;
  /** Ends that came before the reply of the call they belong to. */
  readonly early: Map<string, { result: JobResult; sender: string }>;
  readonly waiting: Map<string, (result: JobResult) => void>;
};

/** Subscribes; calls made through the object are sent after the subscription and so miss nothing. */
export function watchJobs(bus: Bus): Jobs {
  const state: State = { owner: "", calling: 0, early: new Map(), waiting: new Map() };
  bus.onSignal((signal) => noteEnd(state, signal));
  const subscribed = subscribe(bus);
  subscribed.catch(() => {});
  return {
    result: async (call) => {
      state.calling += 1;
      const [reply] = await Promise.all([call(), subscribed]).finally(() => {
        state.calling -= 1;
      });
      return await Promise.race([bus.lost, endOf(state, reply)]);
    },
  };
}

async function subscribe(bus: Bus): Promise<void> {
  const daemon = "org.freedesktop.DBus";
  await Promise.all([
    bus.call({
      destination: daemon,
      path: "/org/freedesktop/DBus",
      interface: daemon,
      member: "AddMatch",
      signature: "s",
      body: [MATCH],
    }),
    bus.call({
      destination: SYSTEMD,
      path: "/org/freedesktop/systemd1",
      interface: MANAGER,
      member: "Subscribe",
    }),
  ]);
}

function noteEnd(state: State, signal: Signal): void {
  if (signal.interface !== MANAGER || signal.member !== "JobRemoved") return;
  const [, job, , result] = signal.body;
  if (typeof job !== "string" || typeof result !== "string") return;
  const waiter = state.waiting.get(job);
  if (waiter !== undefined && signal.sender === state.owner) {
    state.waiting.delete(job);
    waiter(result);
  } else if (state.calling > 0) {
    state.early.set(`${signal.sender} ${job}`, { result, sender: signal.sender });
  }
}

/** The reply's sender is systemd itself: the daemon passes a reply only from the one who was called. */
async function endOf(state: State, reply: Reply): Promise<JobResult> {
  state.owner = reply.sender;
  const job = String(reply.body[0]);
  const early = state.early.get(`${reply.sender} ${job}`);
  if (state.calling === 0) state.early.clear();
  if (early !== undefined) return early.result;
  return await new Promise((resolve) => state.waiting.set(job, resolve));
}
