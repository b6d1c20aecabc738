/** The end of systemd's jobs, which it tells by the signal JobRemoved. */
import type { Bus, Reply, Signal } from "../bus/connection.ts";
import type { JobResult } from "./unit.ts";

const SYSTEMD = "org.freedesktop.systemd1";
const MANAGER = "org.freedesktop.systemd1.Manager";
const MATCH = `type='signal',sender='${SYSTEMD}',interface='${MANAGER}',member='JobRemoved'`;

export type Jobs = {
  /** Makes the call, whose reply is the path of a job, and waits for the job's end. */
  result(call: () => Promise<Reply>): Promise<JobResult>;
  /**
   * The same for a call that begins jobs of other units too: gives each unit's result, the first one's by the job in
   * the reply and the others' by the first job of theirs that ends from now on.
   */
  results(call: () => Promise<Reply>, units: Units): Promise<ReadonlyMap<string, JobResult>>;
};

export type Units = readonly [main: string, ...others: string[]];

type End = { readonly sender: string; readonly unit: string; readonly result: JobResult };

type State = {
  /** Unique name of systemd on the bus: anybody may send a signal that looks like JobRemoved. */
  owner: string;
  /** Calls whose reply has not come yet. */
  calling: number;
  /** Ends that came before the reply of the call they belong to. */
  readonly early: Map<string, { result: JobResult; sender: string }>;
  readonly waiting: Map<string, (result: JobResult) => void>;
  readonly listeners: Set<(end: End) => void>;
};

/** Subscribes; calls made through the object are sent after the subscription and so miss nothing. */
export function watchJobs(bus: Bus): Jobs {
  const state: State = { owner: "", calling: 0, early: new Map(), waiting: new Map(), listeners: new Set() };
  bus.onSignal((signal) => noteEnd(state, signal));
  const subscribed = subscribe(bus);
  subscribed.catch(() => {});
  const result = async (call: () => Promise<Reply>): Promise<JobResult> => {
    const { end } = await begin(state, Promise.all([call(), subscribed]));
    return await Promise.race([bus.lost, end]);
  };
  return { result, results: (call, units) => results({ bus, state, result }, call, units) };
}

type Watch = { readonly bus: Bus; readonly state: State; readonly result: Jobs["result"] };

async function results(
  { bus, state, result }: Watch,
  call: () => Promise<Reply>,
  [main, ...others]: Units,
): Promise<ReadonlyMap<string, JobResult>> {
  const ends = collectEnds(state, others);
  try {
    const first = await result(call);
    const rest = await Promise.race([bus.lost, ends.all()]);
    return new Map([[main, first], ...rest]);
  } finally {
    ends.stop();
  }
}

/** Gathers the first end of each unit's job, believing only systemd, whose name is known once it has answered. */
function collectEnds(state: State, units: readonly string[]) {
  const ends: End[] = [];
  let check = () => {};
  const listener = (end: End) => {
    if (!units.includes(end.unit)) return;
    ends.push(end);
    check();
  };
  state.listeners.add(listener);
  const found = () => ends.filter(({ sender }) => sender === state.owner).reverse();
  const complete = () => new Map(found().map(({ unit, result }) => [unit, result]));
  const all = () =>
    new Promise<ReadonlyMap<string, JobResult>>((resolve) => {
      check = () => {
        if (complete().size === units.length) resolve(complete());
      };
      check();
    });
  return { all, stop: () => state.listeners.delete(listener) };
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
  const [, job, unit, result] = signal.body;
  if (typeof job !== "string" || typeof unit !== "string" || typeof result !== "string") return;
  for (const listener of state.listeners) listener({ sender: signal.sender, unit, result });
  const waiter = state.waiting.get(job);
  if (waiter !== undefined && signal.sender === state.owner) {
    state.waiting.delete(job);
    waiter(result);
  } else if (state.calling > 0) {
    state.early.set(`${signal.sender} ${job}`, { result, sender: signal.sender });
  }
}

type Begun = { readonly end: Promise<JobResult> };

/** Early ends are kept until each call has looked for its own: several replies may come at once. */
async function begin(state: State, called: Promise<readonly [Reply, unknown]>): Promise<Begun> {
  state.calling += 1;
  try {
    const [reply] = await called;
    return { end: endOf(state, reply) };
  } finally {
    state.calling -= 1;
    if (state.calling === 0) state.early.clear();
  }
}

/** The reply's sender is systemd itself: the daemon passes a reply only from the one who was called. */
function endOf(state: State, reply: Reply): Promise<JobResult> {
  state.owner = reply.sender;
  const job = String(reply.body[0]);
  const early = state.early.get(`${reply.sender} ${job}`);
  if (early !== undefined) return Promise.resolve(early.result);
  return new Promise((resolve) => state.waiting.set(job, resolve));
}
