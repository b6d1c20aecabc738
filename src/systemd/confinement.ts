/**
 * A service for a process that reads what nobody trusts: a user of its own, no capabilities, and for its root a
 * directory that holds nothing but what it needs to start and what is bound into it. Measured on systemd 252: TemporaryFileSystem=/ does not hide
 * the host there, RootDirectory= does.
 */
import type { UnitProperty } from "./unit.ts";

/** A file or directory of the host, and its name inside. What is `optional` may be missing. */
export type Bind = { readonly from: string; readonly to: string; readonly optional?: true };

export type Sealing = {
  /** A directory of sealed-root.ts, in which systemd makes what it mounts upon. */
  readonly root: string;
  readonly readable: readonly Bind[];
  readonly writable: readonly Bind[];
  /** Socket families, such as AF_INET; with none there is no network either. */
  readonly families: readonly string[];
  /** Bytes of memory. */
  readonly memory: number;
};

/** MS_REC: with what is mounted below. */
const RECURSIVE = 16384;

/** What no program here needs that reads what nobody trusts, whoever it runs as. */
export const GUARDED: readonly UnitProperty[] = [
  ["KeyringMode", "s", "private"],
  ["LimitCORE", "t", 0],
  ["LockPersonality", "b", true],
  ["NoNewPrivileges", "b", true],
  ["NotifyAccess", "s", "none"],
  ["PrivateIPC", "b", true],
  ["PrivateTmp", "b", true],
  ["ProcSubset", "s", "pid"],
  ["ProtectClock", "b", true],
  ["ProtectControlGroups", "b", true],
  ["ProtectHostname", "b", true],
  ["ProtectKernelLogs", "b", true],
  ["ProtectKernelModules", "b", true],
  ["ProtectKernelTunables", "b", true],
  ["ProtectProc", "s", "invisible"],
  ["ProtectSystem", "s", "strict"],
  ["RestrictNamespaces", "t", 0],
  ["RestrictRealtime", "b", true],
  ["SystemCallArchitectures", "as", ["native"]],
  ["SystemCallErrorNumber", "i", 1],
  ["UMask", "u", 0o077],
];

/**
 * SCHED_BATCH (sched(7)): what wakes up waits for its turn. Of an image's bytes each is handed through several threads, of which one
 * is the slowest, and the others would interrupt it each time; and nobody's app is interrupted either.
 */
export const UNHURRIED: UnitProperty = ["CPUSchedulingPolicy", "i", 3];

/** No network, and nothing to be sent over one that somebody might lend. */
export const OFFLINE: readonly UnitProperty[] = [
  ["PrivateNetwork", "b", true],
  [
    "IPAddressDeny",
    "a(iayu)",
    [
      [2, [0, 0, 0, 0], 0],
      [10, Array(16).fill(0), 0],
    ],
  ],
];

const SEALED: readonly UnitProperty[] = [
  ...GUARDED,
  UNHURRIED,
  ["CapabilityBoundingSet", "t", 0],
  // Not strict: systemd itself opens /dev/null for the service.
  ["DevicePolicy", "s", "closed"],
  ["DynamicUser", "b", true],
  // RootDirectory= brings the host's own /dev/shm and terminals along. `+`: below the service's root, not the host's.
  ["InaccessiblePaths", "as", ["-+/dev/shm", "-+/dev/mqueue", "-+/dev/pts", "-+/sys"]],
  ["MountAPIVFS", "b", true],
  ["PrivateDevices", "b", true],
  ["PrivateUsers", "b", true],
  ["ProtectHome", "s", "yes"],
  ["ReadOnlyPaths", "as", ["-+/run", "-+/tmp", "-+/var/tmp"]],
  ["RestrictSUIDSGID", "b", true],
  // @pkey: V8 asks for a protection key at start.
  ["SystemCallFilter", "(bas)", [true, ["@system-service", "@pkey"]]],
  ["SystemCallFilter", "(bas)", [false, ["@resources", "@privileged"]]],
  ["TasksMax", "t", 64],
  ["TimeoutStopUSec", "t", 5_000_000],
];

/** The properties of such a service; what it executes and its standard streams are the caller's. */
export function sealedService({ root, readable, writable, families, memory }: Sealing): UnitProperty[] {
  return [
    ...SEALED,
    ...(families.length === 0 ? OFFLINE : []),
    ["RestrictAddressFamilies", "(bas)", [true, families]],
    ["MemoryMax", "t", memory],
    ["RootDirectory", "s", root],
    ["BindReadOnlyPaths", "a(ssbt)", readable.map(bindValue)],
    ...writableBinds(writable),
  ];
}

/** To systemd an empty list of either kind takes back the binds of both. */
function writableBinds(writable: readonly Bind[]): UnitProperty[] {
  return writable.length === 0 ? [] : [["BindPaths", "a(ssbt)", writable.map(bindValue)]];
}

function bindValue({ from, to, optional }: Bind) {
  return [from, to, optional === true, RECURSIVE];
}
