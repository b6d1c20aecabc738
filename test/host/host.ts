/**
 * The test host: a real systemd as PID 1 of its own pid, mount, network, ipc, uts and cgroup namespaces on the
 * machine's kernel, booted in about a second from an overlay over the machine's root and the built tree.
 *
 * this process → stages/keeper.sh → stages/supervisor.sh → stages/join.sh → stages/boot.sh → systemd
 */
import { existsSync, mkdirSync } from "node:fs";
import { GantryError } from "../../src/base/errors.ts";
import {
  type CommandOptions,
  type Door,
  HOST_ENVIRONMENT,
  type HostProcess,
  type Result,
  runThrough,
  startThrough,
  unitCommand,
} from "./enter.ts";
import { get, put, saveLogs } from "./files.ts";
import {
  BUILD,
  type CgroupMode,
  CHECKOUT,
  cgroupHierarchies,
  HOSTS,
  LOGS,
  machineCgroupMode,
} from "./machine.ts";
import { boot, cutPower, doorOf, type Machine, powerOff, reboot } from "./power.ts";
import { type Place, startSupervisor } from "./supervisor.ts";
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
  /** Whether the machine's Node is put into a root that has none; so it is unless told. */
  readonly node?: boolean;
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
  /** D-Bus address of its system bus, for clients in this process; root to it, and new after each boot. */
  readonly busAddress: () => string;
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
  const cgroups = chooseCgroupMode(options);
  const place = makePlace(options);
  const environment = stageEnvironment(place, { ...options, cgroups });
  const supervisor = await startSupervisor({ ...place, environment });
  const machine = { ...place, supervisor, losesData: typeof options.data === "object" };
  try {
    await boot(machine);
  } catch (error) {
    await saveLogs(machine, `${LOGS}/${place.name}`).finally(() => supervisor.end());
    throw error;
  }
  return describeHost(machine, { bootMs: Date.now() - started, env: options.env ?? {} });
}

let hosts = 0;

function makePlace({ name = "host" }: HostOptions): Place {
  hosts += 1;
  const unique = `gantry-${name}-${process.pid}-${hosts}`;
  const directory = `${HOSTS}/${unique}`;
  mkdirSync(directory, { recursive: true });
  return { name: unique, directory };
}

/** What the stages are told, all through the environment. */
function stageEnvironment(
  { name, directory }: Place,
  options: HostOptions & { cgroups: CgroupMode },
): Record<string, string> {
  const built = `${BUILD}/root`;
  return {
    PATH: HOST_ENVIRONMENT.PATH,
    GANTRY_TEST_HOST: name,
    HOST_NAME: name,
    HOST_DIRECTORY: directory,
    HOST_CGROUPS: options.cgroups,
    HOST_HIERARCHIES: cgroupHierarchies().join(":"),
    HOST_DATA: typeof options.data === "object" ? `${options.data.ext4MiB}M` : "tmpfs",
    HOST_CHECKOUT: CHECKOUT,
    HOST_ROOT: options.root ?? "/",
    HOST_TREE: options.tree ?? (existsSync(built) ? built : ""),
    HOST_NODE: options.node === false ? "" : process.execPath,
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

type Details = { readonly bootMs: number; readonly env: Readonly<Record<string, string>> };

function describeHost(machine: Machine, { bootMs, env }: Details): TestHost {
  const { name, directory, supervisor } = machine;
  const inside = () => doorOf(machine, "host");
  const withEnv = <T extends CommandOptions>(options: T) => ({ ...options, env: { ...env, ...options.env } });
  return {
    name,
    directory,
    bootMs,
    busAddress: () => `unix:path=/proc/${inside().pid}/root/run/dbus/system_bus_socket`,
    exec: async (argv, options = {}) => runThrough(inside(), argv, withEnv(options)),
    run: async (argv, options = {}) => runInUnit(inside(), argv, withEnv({ ...options, properties: [] })),
    user: async (argv, options = {}) =>
      runInUnit(inside(), argv, withEnv({ cwd: "/home/tester", ...options, properties: SESSION })),
    net: async (argv, options) => runThrough(doorOf(machine, "internet"), argv, options),
    spawn: async (argv, options = {}) =>
      startThrough(doorOf(machine, options.side ?? "host"), argv, withEnv(options)),
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

/** A login as on a terminal: pam_systemd makes the session, its runtime directory and the user's bus. */
const SESSION = ["--uid=tester", "--property=PAMName=login"];

type UnitOptions = CommandOptions & { readonly properties: string[] };

async function runInUnit(door: Door, argv: readonly string[], options: UnitOptions): Promise<Result> {
  const { input, timeoutMs, properties, ...unit } = options;
  const limits = {
    ...(input === undefined ? {} : { input }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  return await runThrough(door, unitCommand(argv, unit, properties), limits);
}
