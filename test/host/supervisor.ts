/** The supervisor of one host (stages/supervisor.sh): starts it, sends it commands, keeps what it reported. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { GantryError } from "../../src/base/errors.ts";
import { quoted } from "../../src/base/text.ts";

/** What the supervisor reported so far; pids are those the machine sees. */
export type HostState = {
  supervisor: number | undefined;
  /** Number of the latest boot, from 1, and the pid of its PID 1. */
  boot: number;
  init: number | undefined;
  /** Number of the latest boot that has ended, and its status: 129 reboot, 130 power-off, 137 killed. */
  ended: number;
  status: number | undefined;
  /** How often the data directory has lost what was not written. */
  cuts: number;
  /** The keeper has gone, and all of the host with it. */
  gone: boolean;
};

export type Supervisor = {
  readonly state: Readonly<HostState>;
  readonly send: (command: "boot" | "cut") => void;
  /** Resolves once the state fulfils `condition`; `what` names it in the TimedOut or LaunchFailed it throws. */
  readonly wait: (
    what: string,
    condition: (state: HostState) => boolean,
    timeoutMs?: number,
  ) => Promise<void>;
  /** Ends the host at once and waits until nothing is left of it. */
  readonly end: () => Promise<void>;
};

export type SupervisorOptions = {
  readonly name: string;
  readonly directory: string;
  readonly environment: Record<string, string>;
};

const KEEPER = new URL("stages/keeper.sh", import.meta.url).pathname;
const TIMEOUT_MS = 120_000;

/** Starts the keeper and its supervisor; nothing is booted yet. */
export async function startSupervisor({
  name,
  directory,
  environment,
}: SupervisorOptions): Promise<Supervisor> {
  const log = openSync(`${directory}/stages.log`, "a");
  // Detached, a session of its own: Ctrl-C reaches the test alone, and the keeper cleans up after it.
  const keeper = spawn(KEEPER, [], { env: environment, detached: true, stdio: ["pipe", "pipe", log] });
  closeSync(log);
  const supervisor = follow(keeper, { name, directory });
  try {
    await supervisor.wait("its supervisor", ({ supervisor: pid }) => pid !== undefined);
  } catch (error) {
    await supervisor.end();
    throw error;
  }
  return supervisor;
}

export type Place = { readonly name: string; readonly directory: string };

function follow(keeper: ChildProcess, place: Place): Supervisor {
  const state: HostState = {
    supervisor: undefined,
    boot: 0,
    init: undefined,
    ended: 0,
    status: undefined,
    cuts: 0,
    gone: false,
  };
  const watchers = new Set<() => void>();
  const change = (update: () => void): void => {
    update();
    for (const watcher of [...watchers]) watcher();
  };
  const { stdin, stdout } = keeper;
  if (stdin === null || stdout === null) throw new GantryError("Internal", "the keeper has no pipes");
  stdin.on("error", () => undefined);
  createInterface({ input: stdout }).on("line", (line) => change(() => note(state, line)));
  keeper.on("close", () => change(() => (state.gone = true)));
  const wait: Supervisor["wait"] = (what, condition, timeoutMs = TIMEOUT_MS) =>
    watch({ what, condition, timeoutMs, state, watchers, place });
  return {
    state,
    send: (command) => stdin.write(`${command}\n`),
    wait,
    end: async () => {
      stdin.end();
      await wait("its end", ({ gone }) => gone);
    },
  };
}

/** One report, as the head of stages/supervisor.sh lists them. */
function note(state: HostState, line: string): void {
  const [word, first, second] = line.split(" ");
  if (word === "supervisor") state.supervisor = Number(first);
  else if (word === "boot") Object.assign(state, { boot: Number(first), init: Number(second) });
  else if (word === "ended") Object.assign(state, { ended: Number(first), status: Number(second) });
  else if (word === "cut") state.cuts += 1;
}

type Watch = {
  readonly what: string;
  readonly condition: (state: HostState) => boolean;
  readonly timeoutMs: number;
  readonly state: HostState;
  readonly watchers: Set<() => void>;
  readonly place: Place;
};

function watch({ what, condition, timeoutMs, state, watchers, place }: Watch): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      clearTimeout(timer);
      watchers.delete(check);
      done();
    };
    const fail = (kind: "TimedOut" | "LaunchFailed"): void =>
      settle(() => reject(new GantryError(kind, complaint(place, what))));
    const check = (): void => {
      if (condition(state)) settle(resolve);
      else if (state.gone) fail("LaunchFailed");
    };
    const timer = setTimeout(() => fail("TimedOut"), timeoutMs);
    watchers.add(check);
    check();
  });
}

/** The sentence about a host that `what` did not happen to, with the ends of its logs. */
export function complaint({ name, directory }: Place, what: string): string {
  return `test host ${quoted(name)} did not get to ${what}: ${lastLines(directory)}`;
}

function lastLines(directory: string): string {
  try {
    const logs = readdirSync(directory).filter(
      (file) => file === "stages.log" || file.startsWith("console."),
    );
    return logs
      .map((file) => `${file}: ${readFileSync(`${directory}/${file}`, "utf8").slice(-900)}`)
      .join("\n");
  } catch {
    return "no logs";
  }
}
