/** Removes what killed hosts have left. Their keepers do it themselves unless they were killed as well. */
import { existsSync, readdirSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { cgroupHierarchies, HOSTS, isAlive } from "./machine.ts";

/** The pid of the process that booted a host: the name carries it. */
export function ownerOf(hostName: string): number | undefined {
  const pid = /^gantry-.*-(\d+)-\d+$/.exec(hostName)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** Removes directories and cgroups of hosts whose owner is dead. What is still in use is left to its keeper. */
export async function sweepHosts(): Promise<void> {
  const hierarchies = cgroupHierarchies();
  for (const name of listOrphans([HOSTS, ...hierarchies])) {
    await Promise.all(hierarchies.map((hierarchy) => removeCgroups(`${hierarchy}/${name}`)));
    const busy = hierarchies.some((hierarchy) => existsSync(`${hierarchy}/${name}`));
    if (!busy) await rm(`${HOSTS}/${name}`, { recursive: true, force: true });
  }
}

function listOrphans(directories: readonly string[]): Set<string> {
  const names = directories.filter((path) => existsSync(path)).flatMap((path) => readdirSync(path));
  return new Set(names.filter(isOrphan));
}

function isOrphan(name: string): boolean {
  const owner = ownerOf(name);
  return owner !== undefined && !isAlive(owner);
}

/** Depth first; stops at whatever still has processes (EBUSY) or has gone meanwhile. */
export async function removeCgroups(directory: string): Promise<void> {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    for (const entry of entries) if (entry.isDirectory()) await removeCgroups(`${directory}/${entry.name}`);
    await rmdir(directory);
  } catch {}
}
