/**
 * gantry-unpack as a transient unit of its own: no network, no devices, no home, a read-only system, and only the
 * capabilities that extraction needs (docs/unpacker.md).
 */
import { join } from "node:path";
import type { Systemd, UnitProperty } from "../systemd/systemd.ts";
import { archivePath, type Unpacker, type UnpackRequest, unpackArguments } from "./unpacker.ts";

/**
 * Owners, modes, devices, file capabilities, entries below directories it may not read, and chroot(2). Setting its
 * own limits needs none.
 */
const CAPABILITIES: readonly (readonly [name: string, bit: number])[] = [
  ["CAP_CHOWN", 0],
  ["CAP_DAC_OVERRIDE", 1],
  ["CAP_FOWNER", 3],
  ["CAP_FSETID", 4],
  ["CAP_SYS_CHROOT", 18],
  ["CAP_MKNOD", 27],
  ["CAP_SETFCAP", 31],
];

/** What gantry-unpack's own limit allows, and the pages it writes. */
const MEMORY = 2 * 1024 ** 3;

/** Not set, each for a reason: RestrictSUIDSGID and PrivateDevices would stop what an image may hold (set-id files, device nodes). */
const CONFINEMENT: readonly UnitProperty[] = [
  ["CapabilityBoundingSet", "t", CAPABILITIES.reduce((set, [, bit]) => set + 2 ** bit, 0)],
  // Device nodes are created but none can be opened: mknod is all the device controller lets through.
  ["DevicePolicy", "s", "strict"],
  [
    "DeviceAllow",
    "a(ss)",
    [
      ["char-*", "m"],
      ["block-*", "m"],
    ],
  ],
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

/** Runs `program` (gantry-unpack) under systemd. */
export function unitUnpacker(systemd: Systemd, program: string): Unpacker {
  return async (request) => {
    const { signal } = request;
    const unit = {
      name: unitName(request),
      properties: [...(await runProperties(request, program)), ...CONFINEMENT],
    };
    const { result, status, signalled } = await systemd.runTransient(
      unit,
      signal === undefined ? {} : { signal },
    );
    if (result === "success" || (result === "exit-code" && !signalled)) return { status };
    return { killed: result };
  };
}

/** Stops what an operation has left running, so that its directory can go. */
export async function stopUnpackers(systemd: Systemd, operation: string): Promise<void> {
  const units = await systemd.listUnits([`gantry-unpack-${operation}-*.service`]);
  for (const { name } of units) {
    await systemd.stopUnit(name);
    // Nobody is left to read why it ended.
    await systemd.resetFailedUnit(name);
  }
}

function unitName({ operation, part }: UnpackRequest): string {
  return `gantry-unpack-${operation}-${part}.service`;
}

async function runProperties(request: UnpackRequest, program: string): Promise<UnitProperty[]> {
  // systemd would expand variables and specifiers: neither the paths of the store nor our options hold any, and a
  // data directory that does is doubled here. The archive's path goes through a property that expands nothing.
  const words = [program, ...(await unpackArguments(request))];
  const { into } = request;
  return [
    ["Description", "s", `Unpack ${request.part} of ${request.operation}`],
    ["ExecStart", "a(sasb)", [[program, words.map(escapeWord), false]]],
    ["StandardInputFile", "s", archivePath(request)],
    // Bound onto itself, the directory is reachable wherever it is: PrivateTmp and ProtectHome hide what is below them.
    ["BindPaths", "a(ssbt)", [[into, into, false, 0]]],
    ["ReadWritePaths", "as", [into]],
    ["WorkingDirectory", "s", join("/")],
  ];
}

function escapeWord(word: string): string {
  return word.replaceAll("$", "$$$$");
}
