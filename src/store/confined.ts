/** What the units of gantry-unpack, gantry-pack and gantry-audit have in common: no network, no home, a read-only system. */
import { GUARDED, OFFLINE, UNHURRIED } from "../systemd/confinement.ts";
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
  ...GUARDED,
  UNHURRIED,
  ...OFFLINE,
  // Not `yes`: then what is bound onto a place below /home or /root is not there either.
  ["ProtectHome", "s", "tmpfs"],
  // No address family at all: an allow-list with nothing in it.
  ["RestrictAddressFamilies", "(bas)", [true, []]],
  ["MemoryDenyWriteExecute", "b", true],
  ["MemoryMax", "t", MEMORY],
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
];

/**
 * A word of ExecStart=, in which systemd would expand variables: neither the paths of the store nor our options hold any,
 * and a data directory that does is doubled here.
 */
export function escapeWord(word: string): string {
  return word.replaceAll("$", "$$$$");
}
