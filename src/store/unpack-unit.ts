/**
 * gantry-unpack as a transient unit of its own: no network, no devices, no home, a read-only system, and only the
 * capabilities that extraction needs (docs/unpacker.md).
 */
import { join } from "node:path";
import type { Systemd, UnitProperty } from "../systemd/systemd.ts";
import { CONFINED, capabilitySet, escapeWord } from "./confined.ts";
import {
  archivePath,
  type UnpackEnd,
  type Unpacker,
  type UnpackRequest,
  unpackArguments,
} from "./unpacker.ts";

/**
 * Owners, modes, devices, file capabilities, entries below directories it may not read, and chroot(2). Setting its
 * own limits needs none.
 */
const CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_SYS_CHROOT",
  "CAP_MKNOD",
  "CAP_SETFCAP",
] as const;

/** Not set, each for a reason: RestrictSUIDSGID and PrivateDevices would stop what an image may hold (set-id files, device nodes). */
const CONFINEMENT: readonly UnitProperty[] = [
  capabilitySet(CAPABILITIES),
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
  ...CONFINED,
];

/** Runs `program` (gantry-unpack) under systemd. */
export function unitUnpacker(systemd: Systemd, program: string): Unpacker {
  return async (request) => {
    const words = [program, ...(await unpackArguments(request))];
    return await runUnit(systemd, { ...request, words, input: archivePath(request) });
  };
}

export type UnpackerUnit = Pick<UnpackRequest, "operation" | "part" | "into" | "signal"> & {
  readonly words: readonly string[];
  /** The file that is its standard input. */
  readonly input: string;
};

/** Runs gantry-unpack, the first of `words`, to its end. */
export async function runUnit(systemd: Systemd, unpacker: UnpackerUnit): Promise<UnpackEnd> {
  const { signal } = unpacker;
  const unit = { name: unitName(unpacker), properties: [...runProperties(unpacker), ...CONFINEMENT] };
  const { result, status, signalled } = await systemd.runTransient(
    unit,
    signal === undefined ? {} : { signal },
  );
  if (result === "success" || (result === "exit-code" && !signalled)) return { status };
  return { killed: result };
}

/** Stops the programs that an operation has left running on layers, so that its directory can go. */
export async function stopUnpackers(systemd: Systemd, operation: string): Promise<void> {
  const units = await systemd.listUnits(
    ["unpack", "pack", "audit"].map((program) => `gantry-${program}-${operation}-*.service`),
  );
  for (const { name } of units) {
    await systemd.stopUnit(name);
    // Nobody is left to read why it ended.
    await systemd.resetFailedUnit(name);
  }
}

function unitName({ operation, part }: UnpackerUnit): string {
  return `gantry-unpack-${operation}-${part}.service`;
}

function runProperties({ operation, part, into, words, input }: UnpackerUnit): UnitProperty[] {
  const [program = ""] = words;
  // systemd would expand variables and specifiers: neither the paths of the store nor our options hold any, and a
  // data directory that does is doubled here. The archive's path goes through a property that expands nothing.
  return [
    ["Description", "s", `Unpack ${part} of ${operation}`],
    ["ExecStart", "a(sasb)", [[program, words.map(escapeWord), false]]],
    ["StandardInputFile", "s", input],
    // Bound onto itself, the directory is reachable wherever it is: PrivateTmp and ProtectHome hide what is below them.
    ["BindPaths", "a(ssbt)", [[into, into, false, 0]]],
    ["ReadWritePaths", "as", [into]],
    ["WorkingDirectory", "s", join("/")],
  ];
}
