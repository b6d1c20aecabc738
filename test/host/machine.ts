/** What the hosts borrow from the machine they run on: its cgroup hierarchies, and where the checkout is. */
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";

export const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const BUILD = `${CHECKOUT}/build`;
/** One directory per live host. */
export const HOSTS = `${BUILD}/test-hosts`;
/** Where failed tests leave console and journal. */
export const LOGS = `${BUILD}/test-logs`;

export type CgroupMode = "hybrid" | "unified";

export type Mount = { readonly path: string; readonly type: string; readonly source: string };

/** The mounts of this process's namespace, from /proc/self/mountinfo (proc(5)). */
export function listMounts(): Mount[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [type = "", source = ""] = after.split(" ");
    return { path: before.split(" ")[4] ?? "", type, source };
  });
}

/** Mount points of every cgroup hierarchy: one on a machine with a pure v2 tree, else about ten. */
export function cgroupHierarchies(): string[] {
  return listMounts()
    .filter(({ type, path }) => type.startsWith("cgroup") && path.startsWith("/sys/fs/cgroup"))
    .map(({ path }) => path);
}

/** Controllers bound to v1 hierarchies cannot be had in a v2 tree, and the other way round. */
export function machineCgroupMode(): CgroupMode {
  return cgroupHierarchies().some((path) => basename(path) === "systemd") ? "hybrid" : "unified";
}

/** Whether a process with this pid exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
