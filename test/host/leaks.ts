/** What test hosts could leave on the machine, listed before and after: the lists must be the same. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { cgroupHierarchies, HOSTS, isAlive, listMounts } from "./machine.ts";
import { ownerOf } from "./sweep.ts";

/** One line per thing, which names the thing. */
export type Traces = ReadonlySet<string>;

/**
 * Everything of the machine that a test host touches: mounts of this namespace, cgroup and host directories, loop
 * devices, network namespaces, processes of hosts, and the sysctls a careless PID 1 would set. What belongs to the live hosts
 * of another process is left out, so that two test runs may share a machine.
 */
export function snapshot(): Traces {
  const all = listProcesses();
  const own = link("/proc/self/ns/net");
  const foreign = new Set(all.filter(({ host }) => isForeign(host)).map(({ network }) => network));
  const processes = all.filter(({ host, network }) => !isForeign(host) && !foreign.has(network));
  return new Set([
    ...listMounts().map(({ path, type, source }) => `mount ${path} (${type} ${source})`),
    ...listCgroups().map((path) => `cgroup ${path}`),
    ...listLoops().map((line) => `loop device ${line}`),
    ...processes
      .filter(({ host }) => host !== undefined)
      .map((each) => `process ${each.pid} (${each.command})`),
    ...listHosts().map((name) => `directory ${HOSTS}/${name}`),
    ...processes
      .filter(({ network }) => network !== own)
      .map(({ network }) => `network namespace ${network}`),
    ...SYSCTLS.map((path) => `sysctl ${path} = ${read(path).trim()}`),
  ]);
}

/** What has appeared and, for sysctls and mounts, what has gone: an empty list is a clean machine. */
export function compare(before: Traces, after: Traces): string[] {
  const appeared = [...after].filter((trace) => !before.has(trace)).map((trace) => `left: ${trace}`);
  const gone = [...before].filter((trace) => /^(mount|sysctl) /.test(trace) && !after.has(trace));
  return [...appeared, ...gone.map((trace) => `gone: ${trace}`)];
}

const SYSCTLS = ["/proc/sys/kernel/pid_max", "/proc/sys/net/ipv4/ip_forward"];

/** A host of another process that still runs is that process's business. */
function isForeign(host: string | undefined): boolean {
  const owner = host === undefined ? undefined : ownerOf(host);
  return owner !== undefined && owner !== process.pid && isAlive(owner);
}

function listHosts(): string[] {
  return directoriesIn(HOSTS).filter((name) => !isForeign(name));
}

/** The top-level directories and all below ours: what lies deeper below others' is made by others. */
function listCgroups(): string[] {
  return cgroupHierarchies().flatMap((hierarchy) => {
    const names = directoriesIn(hierarchy).filter((name) => !isForeign(name));
    return names.flatMap((name) => {
      const path = `${hierarchy}/${name}`;
      return name.startsWith("gantry") ? cgroupsBelow(path) : [path];
    });
  });
}

function cgroupsBelow(path: string): string[] {
  return [path, ...directoriesIn(path).flatMap((name) => cgroupsBelow(`${path}/${name}`))];
}

function directoriesIn(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

function listLoops(): string[] {
  return readdirSync("/sys/block")
    .filter((name) => existsSync(`/sys/block/${name}/loop/backing_file`))
    .map((name) => `${name} on ${read(`/sys/block/${name}/loop/backing_file`).trim()}`)
    .filter((line) => !isForeign(hostIn(line)));
}

type Process = { pid: number; command: string; network: string; host: string | undefined };

function listProcesses(): Process[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const network = link(`/proc/${pid}/ns/net`);
    if (network === undefined) return [];
    const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    return [{ pid: Number(pid), command, network, host: hostOf(pid) }];
  });
}

/** Inside a host a process is known by its cgroup; around it, and where it entered, by an environment variable. */
function hostOf(pid: string): string | undefined {
  const marked = /(?:^|\0)GANTRY_TEST_HOST=([^\0]*)/.exec(read(`/proc/${pid}/environ`))?.[1];
  return marked ?? hostIn(read(`/proc/${pid}/cgroup`));
}

function hostIn(text: string): string | undefined {
  return /\/(gantry-[^/\n]*-\d+-\d+)(?:\/|$)/m.exec(text)?.[1];
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
