/** The ways into a host: command lines, and children that run them. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import type { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { GantryError } from "../../src/base/errors.ts";
import { quoted } from "../../src/base/text.ts";

export type Result = { readonly status: number; readonly stdout: string; readonly stderr: string };

export type CommandOptions = {
  readonly input?: string | Buffer;
  /** After it the command is killed and the call fails with TimedOut; 120 s unless told, 0 for none. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

/** What a way in needs: the host's name and the pid, as the machine sees it, of a process of the side to enter. */
export type Door = { readonly host: string; readonly pid: number; readonly side: "host" | "internet" };

/**
 * The bounding set of a host's PID 1 binds only its own descendants. Whoever enters from outside would keep what lets
 * root change the machine itself (`date -s` would set its clock), so every way in drops the same capabilities.
 */
const DROP = [
  "setpriv",
  "--bounding-set",
  "-sys_time,-sys_module,-sys_rawio,-syslog,-wake_alarm,-mac_admin,-mac_override,-audit_control",
  "--inh-caps",
  "-all",
  "--",
];

const NAMESPACES = { host: ["-m", "-u", "-i", "-n", "-p", "-C"], internet: ["-n", "-p"] } as const;

/**
 * Entering a pid namespace takes a fork. nsenter's own stops itself when its child is stopped, as systemd-shutdown
 * stops every process: it would never reap its child, and the host never end. unshare's own cannot tell SIGKILL
 * (util-linux 2.38). A shell does both; what it says about a killed command is nobody's output.
 */
const FORK = ["sh", "-c", 'exec 3>&2 2>/dev/null; (exec "$@" 2>&3 3>&-); exit $?', "sh"];

export const HOST_ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  USER: "root",
  LANG: "C.UTF-8",
} as const;

/** The command line that runs `argv` behind the door as root, outside of any unit. */
export function commandLine(door: Door, argv: readonly string[], options: CommandOptions = {}): string[] {
  const environment = { ...HOST_ENVIRONMENT, ...options.env };
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const target = ["nsenter", "--no-fork", "-t", String(door.pid), ...NAMESPACES[door.side], "--"];
  return [...target, ...DROP, ...FORK, "env", "-i", "-C", options.cwd ?? "/", ...settings, ...argv];
}

/** `argv` as systemd-run arguments: in a transient unit of its own, with this side's streams. */
export function unitCommand(
  argv: readonly string[],
  options: CommandOptions,
  properties: string[],
): string[] {
  const settings = Object.entries(options.env ?? {}).map(([name, value]) => `--setenv=${name}=${value}`);
  const directory = options.cwd === undefined ? [] : [`--working-directory=${options.cwd}`];
  return [
    "systemd-run",
    "--quiet",
    "--collect",
    "--pipe",
    "--wait",
    ...properties,
    ...settings,
    ...directory,
    "--",
    ...argv,
  ];
}

/** A process behind a door. */
export type HostProcess = AsyncDisposable & {
  /** As the machine sees it; 0 if the command ended before it could be seen. */
  readonly pid: number;
  /** As the host sees it. */
  readonly innerPid: number;
  readonly stdin: Writable;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Signals the process itself; false if it has ended. */
  readonly kill: (signal?: NodeJS.Signals) => boolean;
  /** 128 + n for death by signal n. */
  readonly ended: Promise<Result>;
  /** Resolves with the match once stdout or stderr has one; LaunchFailed if the process ends before. */
  readonly until: (pattern: RegExp, timeoutMs?: number) => Promise<RegExpExecArray>;
};

/** Runs `argv` to its end and collects what it wrote. */
export async function runThrough(
  door: Door,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<Result> {
  const { status, stdout, stderr } = await runRaw(door, argv, options);
  return { status, stdout: stdout.toString("utf8"), stderr: stderr.toString("utf8") };
}

/** As runThrough, for output that is not text. */
export async function runRaw(door: Door, argv: readonly string[], options: CommandOptions = {}) {
  const entered = enter(door, argv, options);
  entered.child.stdin?.end(options.input ?? "");
  const timeoutMs = options.timeoutMs ?? 120_000;
  if (timeoutMs === 0) return await entered.ended;
  const timer = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
  const outcome = await Promise.race([entered.ended, late]);
  timer.abort();
  if (outcome !== undefined) return outcome;
  killEntered(entered.child, "SIGKILL");
  const { stdout, stderr } = await entered.ended;
  throw new GantryError(
    "TimedOut",
    `${quoted(argv.join(" "))} in ${door.host} ran longer than ${timeoutMs} ms; it said ${quoted(`${stdout}${stderr}`)}`,
  );
}

/** Starts `argv` and returns once it runs, or has run: what ends at once has ended with its result. */
export async function startThrough(
  door: Door,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<HostProcess> {
  const entered = enter(door, argv, options);
  const { child, output } = entered;
  if (options.input !== undefined) child.stdin?.write(options.input);
  const ids = await waitForStart(entered);
  const stdout = () => Buffer.concat(output.stdout).toString("utf8");
  const stderr = () => Buffer.concat(output.stderr).toString("utf8");
  const ended = entered.ended.then(({ status }) => ({ status, stdout: stdout(), stderr: stderr() }));
  const kill = (signal: NodeJS.Signals = "SIGTERM") => signalProcess(ids.pid, child, signal);
  return {
    ...ids,
    stdin: requireStream(child.stdin),
    stdout,
    stderr,
    kill,
    ended,
    until: (pattern, timeoutMs = 60_000) => untilOutput({ argv, ended, stdout, stderr, pattern, timeoutMs }),
    [Symbol.asyncDispose]: async () => {
      kill("SIGKILL");
      await ended;
    },
  };
}

type Output = { readonly stdout: Buffer[]; readonly stderr: Buffer[] };
type RawResult = { readonly status: number; readonly stdout: Buffer; readonly stderr: Buffer };
type Entered = { readonly child: ChildProcess; readonly output: Output; readonly ended: Promise<RawResult> };

function enter(door: Door, argv: readonly string[], options: CommandOptions): Entered {
  const [program = "", ...parameters] = commandLine(door, argv, options);
  // GANTRY_TEST_HOST lets leaks.ts tell which host a process of the machine belongs to.
  const environment = { PATH: process.env["PATH"] ?? HOST_ENVIRONMENT.PATH, GANTRY_TEST_HOST: door.host };
  const child = spawn(program, parameters, { env: environment, stdio: "pipe" });
  const output: Output = { stdout: [], stderr: [] };
  child.stdout.on("data", (chunk: Buffer) => output.stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => output.stderr.push(chunk));
  // A command that ends before it has read all its input is its own business.
  child.stdin.on("error", () => undefined);
  return { child, output, ended: waitForEnd(child, output) };
}

/** Not only "close": what the command left in the background may hold its streams for ever. */
function waitForEnd(child: ChildProcess, output: Output): Promise<RawResult> {
  return new Promise((resolve, reject) => {
    const finish = (): void =>
      resolve({
        status: child.exitCode ?? 128 + signalNumber(child.signalCode),
        stdout: Buffer.concat(output.stdout),
        stderr: Buffer.concat(output.stderr),
      });
    child.on("error", reject);
    child.on("close", finish);
    child.on("exit", () => whenQuiet(output, finish));
  });
}

/** Half a second without output; what lies in the pipes by then is read before that is decided. */
function whenQuiet(output: Output, finish: () => void): void {
  const chunks = (): number => output.stdout.length + output.stderr.length;
  const before = chunks();
  const decide = (): void => (chunks() === before ? finish() : whenQuiet(output, finish));
  setTimeout(() => setImmediate(decide), 500).unref();
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : constants.signals[signal];
}

type Ids = { readonly pid: number; readonly innerPid: number };

/** The command is the child of what nsenter became, and execs do not change a pid. */
async function waitForStart({ child }: Entered): Promise<Ids> {
  let ids: Ids = { pid: 0, innerPid: 0 };
  while (child.exitCode === null && child.signalCode === null) {
    const pid = childOf(child.pid);
    if (pid !== undefined) ids = { pid, innerPid: innerPidOf(pid) ?? ids.innerPid };
    if (pid !== undefined && hasStarted(pid)) break;
    await delay(1);
  }
  return ids;
}

function childOf(pid: number | undefined): number | undefined {
  const children = readOrEmpty(`/proc/${pid}/task/${pid}/children`).trim();
  return children === "" ? undefined : Number(children.split(" ")[0]);
}

/** Whether the command itself runs, and no longer what leads to it: the forked shell, and env. */
function hasStarted(pid: number): boolean {
  const line = readOrEmpty(`/proc/${pid}/cmdline`);
  return line !== "" && ![FORK, ["env", "-i"]].some((prefix) => line.startsWith(`${prefix.join("\0")}\0`));
}

/** The last of the pids the kernel lists, one per nested pid namespace (proc_pid_status(5)). */
function innerPidOf(pid: number): number | undefined {
  const ids = /^NSpid:\s+(.*)$/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1];
  return ids === undefined ? undefined : Number(ids.split("\t").at(-1));
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The command's pid cannot have been given to another process while its parent still waits for it. */
function signalProcess(pid: number, child: ChildProcess, signal: NodeJS.Signals): boolean {
  if (child.exitCode !== null || child.signalCode !== null) return false;
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function killEntered(child: ChildProcess, signal: NodeJS.Signals): void {
  const pid = childOf(child.pid);
  if (pid !== undefined) signalProcess(pid, child, signal);
  else child.kill(signal);
}

type Watch = {
  readonly argv: readonly string[];
  readonly ended: Promise<Result>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly pattern: RegExp;
  readonly timeoutMs: number;
};

async function untilOutput({
  argv,
  ended,
  stdout,
  stderr,
  pattern,
  timeoutMs,
}: Watch): Promise<RegExpExecArray> {
  const deadline = Date.now() + timeoutMs;
  const end = ended.then(() => "ended" as const);
  let over = false;
  for (;;) {
    const match = pattern.exec(stdout()) ?? pattern.exec(stderr());
    if (match !== null) return match;
    const said = quoted(stdout() + stderr());
    const what = `${quoted(argv.join(" "))} never said ${String(pattern)}, only ${said}`;
    if (over) throw new GantryError("LaunchFailed", `${what}, and ended`);
    if (Date.now() > deadline) throw new GantryError("TimedOut", what);
    over = (await Promise.race([end, delay(5)])) === "ended";
  }
}

function requireStream<T>(stream: T | null): T {
  if (stream === null) throw new GantryError("Internal", "a child process has no pipe");
  return stream;
}
