/** What the units of gantry-unpack, gantry-pack and gantry-audit have in common: no network, no home, a read-only system. */
import type { UnitProperty } from "../systemd/systemd.ts";

/** linux/capability.h */
const CAPABILITY_BITS = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_FOWNER: 3,
  CAP_FSETID: 4,
  CAP_SYS_CHROOT: 18,
  CAP_MKNOD: 27,
  CAP_SETFCAP: 31,
} as const;

export type Capability = keyof typeof CAPABILITY_BITS;

/** All a unit may have of root's power. */
export function capabilitySet(names: readonly Capability[]): UnitProperty {
  return ["CapabilityBoundingSet", "t", names.reduce((set, name) => set + 2 ** CAPABILITY_BITS[name], 0)];
}

/** What the programs' own limit allows, and the pages they write. */
const MEMORY = 2 * 1024 ** 3;

/** Devices and capabilities are each program's own matter. */
export const CONFINED: readonly UnitProperty[] = [
  // No address family at all: an allow-list with nothing in it.
  ["RestrictAddressFamilies", "(bas)", [true, []]],
  [
    "IPAddressDeny",
    "a(iayu)",
    [
      [2, [0, 0, 0, 0], 0],
      [10, Array(16).fill(0), 0],
    ],
  ],
  ["KeyringMode", "s", "private"],
  ["LimitCORE", "t", 0],
  ["LockPersonality", "b", true],
  ["MemoryDenyWriteExecute", "b", true],
  ["MemoryMax", "t", MEMORY],
  ["NoNewPrivileges", "b", true],
  ["NotifyAccess", "s", "none"],
  ["PrivateIPC", "b", true],
  ["PrivateNetwork", "b", true],
  ["PrivateTmp", "b", true],
  ["ProcSubset", "s", "pid"],
  ["ProtectClock", "b", true],
  ["ProtectControlGroups", "b", true],
  ["ProtectHome", "s", "yes"],
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
  [
    "SystemCallFilter",
    "(bas)",
    [
      true,
      [
        "@basic-io",
        "@file-system",
        "@io-event",
        "@process",
        "@signal",
        "@sync",
        "@timer",
        "@chown",
        "@system-service",
        "chroot",
      ],
    ],
  ],
  ["TasksMax", "t", 16],
  ["UMask", "u", 0o077],
];

/**
 * A word of ExecStart=, in which systemd would expand variables: neither the paths of the store nor our options hold any,
 * and a data directory that does is doubled here.
 */
export function escapeWord(word: string): string {
  return word.replaceAll("$", "$$$$");
}
