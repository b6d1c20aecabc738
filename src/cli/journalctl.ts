/** journalctl as a child that has our descriptors. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { promisify } from "node:util";
import { GantryError } from "../base/errors.ts";

/** Runs journalctl; gives its exit status. Throws Unsupported when it is not there. */
export async function runJournalctl(words: readonly string[]): Promise<number> {
  const child = spawn("journalctl", words, { stdio: "inherit" });
  // A terminal's interrupt reaches the child itself; this process lives on until it has ended.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  const failed = once(child, "error").then(([cause]) => {
    throw new GantryError("Unsupported", "journalctl cannot be started", { cause });
  });
  const [status, signal] = (await Promise.race([once(child, "exit"), failed])) as [
    number | null,
    NodeJS.Signals | null,
  ];
  return status ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** Whether there is an entry that this user may read: journalctl itself tells of none, or of rights, without a failure. */
export async function journalHas(matches: readonly string[]): Promise<boolean> {
  const words = [
    "--quiet",
    "--no-pager",
    "--lines=1",
    "--output=json",
    "--output-fields=MESSAGE",
    ...matches,
  ];
  try {
    return (await promisify(execFile)("journalctl", words)).stdout !== "";
  } catch {
    return false;
  }
}
