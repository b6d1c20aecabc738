/** Processes as /proc tells them. */
import { readFile } from "node:fs/promises";
import { errnoOf } from "./errors.ts";

/**
 * When a process started, in clock ticks since boot: together with its id it names a process for good, while an
 * id alone is reused. Undefined when there is no such process.
 */
export async function processStartTime(pid: number): Promise<number | undefined> {
  try {
    return startTimeOf(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    // ESRCH: it ended between open and read.
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ESRCH") return undefined;
    throw error;
  }
}

function startTimeOf(stat: string): number {
  // The command in parentheses may hold anything, spaces and parentheses too: fields count from the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[19]);
}

let boot: Promise<string> | undefined;

/** The boot id without dashes, as docs/launch-plan.md writes it. It is read once: no process outlives its boot. */
export function bootId(): Promise<string> {
  boot ??= readFile("/proc/sys/kernel/random/boot_id", "utf8").then((id) => id.trim().replaceAll("-", ""));
  return boot;
}
