/** What systemd leaves behind of units with LogExtraFields=. */
import { join } from "node:path";
import { unlinkIfPresent } from "../base/file.ts";

const EXPORTS = "/run/systemd/units";

/**
 * Removes the fields that systemd exported to journald for units that are not loaded any more. It writes
 * `log-extra-fields:UNIT` and, when the unit goes, unlinks `extra-fields:UNIT` (252 to 257): one file of each unit
 * would stay until the reboot.
 */
export async function removeLogFields(units: readonly string[]): Promise<void> {
  await Promise.all(units.map((unit) => unlinkIfPresent(join(EXPORTS, `log-extra-fields:${unit}`))));
}
