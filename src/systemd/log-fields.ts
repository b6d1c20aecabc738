/** What systemd leaves behind of units with LogExtraFields=. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { namesIn, unlessMissing, unlinkIfPresent } from "../base/file.ts";
import type { Systemd } from "./systemd.ts";

const EXPORTS = "/run/systemd/units";
const PREFIX = "log-extra-fields:";
const POD_UNITS = ["gantry-*.service", "gantry@*.service"];

/**
 * Removes the fields that systemd exported to journald for units that are not loaded any more. It writes
 * `log-extra-fields:UNIT` and, when the unit goes, unlinks `extra-fields:UNIT` (252 to 257): one file of each unit
 * would stay until the reboot.
 */
export async function removeLogFields(units: readonly string[]): Promise<void> {
  await Promise.all(units.map((unit) => unlinkIfPresent(exportOf(unit))));
}

/**
 * The same for every unit of a pod that was exported longer ago than `age` milliseconds, whether or not its pod is
 * known: a start that meets the removal of its pod has systemd export the fields once more. Throws SystemdFailed.
 */
export async function collectLogFields(bus: () => Promise<Systemd>, age: number): Promise<void> {
  const before = Date.now() - age;
  const exported = (await namesIn(EXPORTS)).filter((name) => name.startsWith(PREFIX));
  const units = exported.map((name) => name.slice(PREFIX.length)).filter(isPodUnit);
  if (units.length === 0) return;
  const loaded = new Set((await (await bus()).listUnits(POD_UNITS)).map(({ name }) => name));
  const gone = units.filter((unit) => !loaded.has(unit));
  // What was started since is not in the list, but its file is new.
  const old = await Promise.all(gone.map(async (unit) => (await exportTime(unit)) < before));
  await removeLogFields(gone.filter((_, index) => old[index]));
}

function isPodUnit(unit: string): boolean {
  return /^gantry[-@].*\.service$/.test(unit);
}

/** Milliseconds; systemd renames a new file into place for every start. */
async function exportTime(unit: string): Promise<number> {
  return (await unlessMissing(stat(exportOf(unit))))?.mtimeMs ?? Number.POSITIVE_INFINITY;
}

function exportOf(unit: string): string {
  return join(EXPORTS, PREFIX + unit);
}
