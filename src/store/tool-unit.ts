/** gantry-pack and gantry-audit as transient units of their own: as the unpacker's, but they may read any file and change none. */
import { join } from "node:path";
import type { Systemd, UnitProperty } from "../systemd/systemd.ts";
import { CONFINED, capabilitySet, escapeWord } from "./confined.ts";
import { type ToolRun, type Tools, toolArguments } from "./tool.ts";

/** Not set: RestrictSUIDSGID, under which there is no openat2(2) (systemd.exec(5)), by which no link is followed. */
const CONFINEMENT: readonly UnitProperty[] = [
  capabilitySet(["CAP_DAC_READ_SEARCH", "CAP_SYS_CHROOT"]),
  // Not strict: systemd itself opens /dev/null for the service.
  ["DevicePolicy", "s", "closed"],
  ["PrivateDevices", "b", true],
  ...CONFINED,
];

/** Runs the programs of `libexec` under systemd, to which it connects when it is needed. */
export function unitTools(systemd: () => Promise<Systemd>, libexec: string): Tools {
  return async (run) => {
    const name = `${run.program}-${run.operation}-${run.part}.service`;
    const unit = { name, properties: [...runProperties(run, libexec), ...CONFINEMENT] };
    const options = run.signal === undefined ? {} : { signal: run.signal };
    const { result, status, signalled } = await (await systemd()).runTransient(unit, options);
    if (result === "success" || (result === "exit-code" && !signalled)) return { status };
    return { killed: result };
  };
}

function runProperties(run: ToolRun, libexec: string): UnitProperty[] {
  const program = join(libexec, run.program);
  const words = [program, ...toolArguments(run)];
  const { into, reads } = run;
  return [
    ["Description", "s", `${run.program}: ${run.part} of ${run.operation}`],
    ["ExecStart", "a(sasb)", [[program, words.map(escapeWord), false]]],
    // Bound onto themselves they are reachable wherever they are: PrivateTmp and ProtectHome hide what is below them.
    ["BindReadOnlyPaths", "a(ssbt)", reads.map((path) => [path, path, false, 0])],
    ["BindPaths", "a(ssbt)", [[into, into, false, 0]]],
    ["ReadWritePaths", "as", [into]],
    ["WorkingDirectory", "s", "/"],
  ];
}
