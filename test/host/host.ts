/**
 * The test host: a real systemd as PID 1 of its own pid, mount, network, ipc, uts and cgroup namespaces on the
 * machine's kernel, booted in about a second from an overlay over the machine's root and the built tree.
 *
 * start (this process) → stages/keeper.sh → stages/supervisor.sh → stages/join.sh → stages/boot.sh → systemd
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { copyFile, cp, mkdir, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { GantryError } from "../../src/base/errors.ts";
import { quoted } from "../../src/base/text.ts";
import {
  type CommandOptions,
  type Door,
  HOST_ENVIRONMENT,
  type HostProcess,
  type Result,
  runRaw,
  runThrough,
  startThrough,
  unitCommand,
} from "./enter.ts";
import { BUILD, type CgroupMode, cgroupHierarchies, HOSTS, LOGS, machineCgroupMode } from "./machine.ts";
import { complaint, type Place, type Supervisor, startSupervisor } from "./supervisor.ts";
import { sweepHosts } from "./sweep.ts";

export type { CommandOptions, HostProcess, Result } from "./enter.ts";

export type HostOptions = {
  /** Part of the host's name, which is unique by the pid of this process and a number. */
  readonly name?: string;
  /** The machine's own mode unless told. In unified mode on a hybrid machine the tree has no controllers. */
  readonly cgroups?: CgroupMode;
  /** /var/lib/gantry; tmpfs unless told. */
  readonly data?: "tmpfs" | { readonly ext4MiB: number };
  /** An unpacked Debian root (debian.ts); the machine's own root unless told. */
  readonly root?: string;
  /** Laid over the root, so that Gantry appears installed; build/root unless told, "" for none. */
  readonly tree?: string;
  /** Environment of the host's PID 1 and of what enters it. */
  readonly env?: Readonly<Record<string, string>>;
};

export type SpawnOptions = CommandOptions & { readonly side?: "host" | "internet" };

export type TestHost = AsyncDisposable & {
  readonly name: string;
  /** The host's directory on the machine: console.N per boot, journal/. */
  readonly directory: string;
  /** Milliseconds from the call of bootHost to "running". */
  readonly bootMs: number;
  /** Runs a command as root, outside of any unit. */
  readonly exec: (argv: readonly string[], options?: CommandOptions) => Promise<Result>;
  /** Runs a command as root in a transient service; 255 if a signal killed it. */
  readonly run: (argv: readonly string[], options?: CommandOptions) => Promise<Result>;
  /** Runs a command as the user "tester" (4711) in a login session of PAM and logind. */
  readonly user: (argv: readonly string[], options?: CommandOptions) => Promise<Result>;
  /** Runs a command on the internet side (203.0.113.1), with the machine's files. */
  readonly net: (argv: readonly string[], options?: CommandOptions) => Promise<Result>;
  /** Starts a long-lived command as root; it dies with the host at the latest. */
  readonly spawn: (argv: readonly string[], options?: SpawnOptions) => Promise<HostProcess>;
  /** Reboots in order and waits for "running". */
  readonly reboot: () => Promise<void>;
  /** Powers off in order and waits for the end. */
  readonly powerOff: () => Promise<void>;
  /** Cuts the power: everything dies at once, and what the ext4 of the data directory has not written is lost. */
  readonly kill: () => Promise<void>;
  /** Boots again after powerOff() or kill(), on the same disk. */
  readonly boot: () => Promise<void>;
  readonly put: (path: string, content: string | Buffer, mode?: number) => Promise<void>;
  readonly get: (path: string) => Promise<Buffer>;
  /** Copies console and journal to a directory of the machine. */
  readonly saveLogs: (directory: string) => Promise<void>;
};

/** Boots a host and waits until systemd says "running"; throws with the end of its console if it does not. */
export async function bootHost(options: HostOptions = {}): Promise<TestHost> {
  const started = Date.now();
  await sweepHosts();
  const place = makePlace(options);
  const supervisor = await startSupervisor({ ...place, environment: stageEnvironment(place, options) });
  const machine = { ...place, supervisor, options };
  try {
    await boot(machine);
  } catch (error) {
    await saveLogs(machine, `${LOGS}/${place.name}`).finally(() => supervisor.end());
    throw error;
  }
  return describeHost(machine, Date.now() - started);
}

type Machine = Place & { readonly supervisor: Supervisor; readonly options: HostOptions };

let hosts = 0;

function makePlace({ name = "host" }: HostOptions): Place {
  hosts += 1;
  const unique = `gantry-${name}-${process.pid}-${hosts}`;
  const directory = `${HOSTS}/${unique}`;
  mkdirSync(directory, { recursive: true });
  return { name: unique, directory };
}

/** What the stages are told, all through the environment. */
function stageEnvironment({ name, directory }: Place, options: HostOptions): Record<string, string> {
  const built = `${BUILD}/root`;
  return {
    PATH: HOST_ENVIRONMENT.PATH,
    GANTRY_TEST_HOST: name,
    HOST_NAME: name,
    HOST_DIRECTORY: directory,
    HOST_CGROUPS: chooseCgroupMode(options),
    HOST_HIERARCHIES: cgroupHierarchies().join(":"),
    HOST_DATA: typeof options.data === "object" ? `${options.data.ext4MiB}M` : "tmpfs",
    HOST_ROOT: options.root ?? "/",
    HOST_TREE: options.tree ?? (existsSync(built) ? built : ""),
    HOST_NODE: process.execPath,
    HOST_ENV: bootEnvironment(options),
  };
}

function chooseCgroupMode({ cgroups }: HostOptions): CgroupMode {
  const machine = machineCgroupMode();
  if (cgroups !== "hybrid" || machine === "hybrid") return cgroups ?? machine;
  throw new GantryError(
    "Unsupported",
    "a hybrid cgroup tree needs v1 hierarchies, which this machine has not",
  );
}

/** Versions 256 and 257 boot on v1 hierarchies only if told; others do not know the variable. */
function bootEnvironment({ env }: HostOptions): string {
  const variables = { PATH: HOST_ENVIRONMENT.PATH, SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE: "1", ...env };
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
}

function describeHost(machine: Machine, bootMs: number): TestHost {
  const { name, directory, supervisor } = machine;
  const inside = () => doorOf(machine, "host");
  return {
    name,
    directory,
    bootMs,
    exec: async (argv, options = {}) => runThrough(inside(), argv, withEnv(machine, options)),
    run: (argv, options = {}) => inUnit(machine, argv, { ...options, properties: [] }),
    user: (argv, options = {}) =>
      inUnit(machine, argv, { cwd: "/home/tester", ...options, properties: SESSION }),
    net: async (argv, options) => runThrough(doorOf(machine, "internet"), argv, options),
    spawn: async (argv, options = {}) =>
      startThrough(doorOf(machine, options.side ?? "host"), argv, withEnv(machine, options)),
    reboot: () => reboot(machine),
    powerOff: () => powerOff(machine),
    kill: () => cutPower(machine),
    boot: () => boot(machine),
    put: async (path, content, mode = 0o644) => put(inside(), path, { content, mode }),
    get: async (path) => get(inside(), path),
    saveLogs: (target) => saveLogs(machine, target),
    [Symbol.asyncDispose]: () => supervisor.end(),
  };
}

function doorOf({ name, supervisor }: Machine, side: Door["side"]): Door {
  const { state } = supervisor;
  const pid = side === "host" ? state.init : state.supervisor;
  const off = side === "host" && state.ended === state.boot;
  if (pid === undefined || off) throw new GantryError("LaunchFailed", `test host ${quoted(name)} is off`);
  return { host: name, pid, side };
}

function withEnv({ options }: Machine, command: SpawnOptions): SpawnOptions {
  return { ...command, env: { ...options.env, ...command.env } };
}

/** A login as on a terminal: pam_systemd makes the session, its runtime directory and the user's bus. */
const SESSION = ["--uid=tester", "--property=PAMName=login"];

type UnitOptions = CommandOptions & { readonly properties: string[] };

async function inUnit(machine: Machine, argv: readonly string[], options: UnitOptions): Promise<Result> {
  const { input, timeoutMs, properties, ...unit } = options;
  const command = unitCommand(argv, { ...unit, env: { ...machine.options.env, ...unit.env } }, properties);
  const limits = {
    ...(input === undefined ? {} : { input }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  return await runThrough(doorOf(machine, "host"), command, limits);
}

async function boot(machine: Machine): Promise<void> {
  const { supervisor } = machine;
  const next = supervisor.state.boot + 1;
  supervisor.send("boot");
  await waitUntilRunning(machine, next);
}

async function waitUntilRunning(machine: Machine, number: number): Promise<void> {
  const { supervisor, name } = machine;
  await supervisor.wait(`boot ${number}`, (state) => state.boot >= number || state.ended >= number);
  const state = supervisor.state.boot < number ? "off" : await askState(machine);
  if (state === "running") return;
  if (state === "off") throw new GantryError("LaunchFailed", complaint(machine, '"running"'));
  const failed = await runThrough(doorOf(machine, "host"), [
    "systemctl",
    "--failed",
    "--no-legend",
    "--plain",
  ]);
  throw new GantryError("LaunchFailed", `test host ${quoted(name)} is ${state}: ${quoted(failed.stdout)}`);
}

async function askState(machine: Machine): Promise<string> {
  const { stdout } = await runThrough(doorOf(machine, "host"), ["sh", "-c", WAIT_UNTIL_RUNNING]);
  const { boot: number, ended } = machine.supervisor.state;
  return ended >= number || stdout === "" ? "off" : stdout.trim();
}

/** Until the bus is there, systemctl cannot ask and says "offline" or nothing. */
const WAIT_UNTIL_RUNNING = `
while :; do
  state=$(systemctl is-system-running --wait 2>/dev/null)
  case $state in running | degraded | maintenance | stopping) echo "$state" && exit ;; esac
  sleep 0.02
done`;

async function reboot(machine: Machine): Promise<void> {
  const next = machine.supervisor.state.boot + 1;
  await orderEnd(machine, "reboot");
  await waitUntilRunning(machine, next);
}

async function powerOff(machine: Machine): Promise<void> {
  const { boot: number } = machine.supervisor.state;
  await orderEnd(machine, "poweroff");
  await machine.supervisor.wait("its power-off", ({ ended }) => ended >= number);
}

async function orderEnd(machine: Machine, verb: "reboot" | "poweroff"): Promise<void> {
  const { status, stderr } = await runThrough(doorOf(machine, "host"), ["systemctl", "--no-block", verb]);
  if (status !== 0) throw new GantryError("SystemdFailed", `systemctl ${verb} in ${machine.name}: ${stderr}`);
}

/** Everything dies first, so that no process sees the I/O errors of a disk that has gone. */
async function cutPower({ supervisor, options }: Machine): Promise<void> {
  const { boot: number, init, cuts } = supervisor.state;
  if (init !== undefined) process.kill(init, "SIGKILL");
  await supervisor.wait("the power cut", ({ ended }) => ended >= number);
  if (typeof options.data !== "object") return;
  supervisor.send("cut");
  await supervisor.wait("the recovery of its data", (state) => state.cuts > cuts);
}

type File = { readonly content: string | Buffer; readonly mode: number };

/** Through the host's own mount namespace: symbolic links are followed there and not on the machine. */
async function put(door: Door, path: string, { content, mode }: File): Promise<void> {
  const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
  const argv = ["sh", "-c", script, "put", path, mode.toString(8)];
  const { status, stderr } = await runThrough(door, argv, { input: content });
  if (status !== 0)
    throw new GantryError("LaunchFailed", `cannot write ${quoted(path)} in ${door.host}: ${stderr}`);
}

async function get(door: Door, path: string): Promise<Buffer> {
  const { status, stdout, stderr } = await runRaw(door, ["cat", "--", path]);
  if (status === 0) return stdout;
  throw new GantryError(
    "LaunchFailed",
    `cannot read ${quoted(path)} in ${door.host}: ${stderr.toString("utf8")}`,
  );
}

async function saveLogs({ directory }: Machine, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  const logs = readdirSync(directory).filter((file) => file === "stages.log" || file.startsWith("console."));
  await Promise.all(logs.map((file) => copyFile(`${directory}/${file}`, `${target}/${file}`)));
  if (!existsSync(`${directory}/journal`)) return;
  await cp(`${directory}/journal`, `${target}/journal`, { recursive: true, force: true });
  const { stdout } = await promisify(execFile)(
    "journalctl",
    ["-D", `${directory}/journal`, "-o", "short-precise"],
    {
      maxBuffer: 256 * 1024 * 1024,
    },
  );
  await writeFile(`${target}/journal.txt`, stdout);
}
