/** The power switch of a host: on, off, reboot, and the plug. */
import { GantryError } from "../../src/base/errors.ts";
import { quoted } from "../../src/base/text.ts";
import { type Door, runThrough } from "./enter.ts";
import { complaint, type Place, type Supervisor } from "./supervisor.ts";

export type Machine = Place & {
  readonly supervisor: Supervisor;
  /** The data directory is a file system that can lose what it has not written. */
  readonly losesData: boolean;
};

/** The way into a side of the machine; LaunchFailed if it is off. */
export function doorOf({ name, supervisor }: Machine, side: Door["side"]): Door {
  const { state } = supervisor;
  const pid = side === "host" ? state.init : state.supervisor;
  const off = side === "host" && state.ended === state.boot;
  if (pid === undefined || off) throw new GantryError("LaunchFailed", `test host ${quoted(name)} is off`);
  return { host: name, pid, side };
}

/** Boots and waits for "running"; LaunchFailed with the console's end, or the failed units, if it does not come. */
export async function boot(machine: Machine): Promise<void> {
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
  const list = ["systemctl", "--failed", "--no-legend", "--plain"];
  const failed = await runThrough(doorOf(machine, "host"), list);
  // The journal is kept, and says why.
  const synced = async () =>
    await runThrough(doorOf(machine, "host"), ["journalctl", "--sync"], { timeoutMs: 20_000 });
  await synced().catch(() => undefined);
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

/** In order, and until "running". */
export async function reboot(machine: Machine): Promise<void> {
  const next = machine.supervisor.state.boot + 1;
  await orderEnd(machine, "reboot");
  await waitUntilRunning(machine, next);
}

/** In order, and until the end. */
export async function powerOff(machine: Machine): Promise<void> {
  const { boot: number } = machine.supervisor.state;
  await orderEnd(machine, "poweroff");
  await machine.supervisor.wait("its power-off", ({ ended }) => ended >= number);
}

async function orderEnd(machine: Machine, verb: "reboot" | "poweroff"): Promise<void> {
  const { status, stderr } = await runThrough(doorOf(machine, "host"), ["systemctl", "--no-block", verb]);
  if (status !== 0) throw new GantryError("SystemdFailed", `systemctl ${verb} in ${machine.name}: ${stderr}`);
}

/** Everything dies before the disk does, so that no process sees the I/O errors of a disk that has gone. */
export async function cutPower({ supervisor, losesData }: Machine): Promise<void> {
  const { boot: number, init, cuts } = supervisor.state;
  if (init !== undefined) process.kill(init, "SIGKILL");
  await supervisor.wait("the power cut", ({ ended }) => ended >= number);
  if (!losesData) return;
  supervisor.send("cut");
  await supervisor.wait("the recovery of its data", (state) => state.cuts > cuts);
}
