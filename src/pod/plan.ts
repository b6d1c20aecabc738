/** The launch plan of an app and the plan of the pod's sandbox, from the draft. Pure; docs/launch-plan.md. */
import { join } from "node:path";
import type { LaunchPlan, Mount } from "../stage1/plan.ts";
import type { SandboxPlan } from "../stage1/sandbox.ts";
import type { AppDraft, AppVolume, PodDraft } from "./draft.ts";
import { processEnvironment } from "./environment.ts";

/** What Docker hides (oci-and-docker: defaults), and /proc/interrupts, which tells about other tenants' timing. */
const MASKED = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];
const READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const SHM_BYTES = 64 << 20;

const SYSTEM_MOUNTS: readonly Mount[] = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid", "noexec", "nodev"] },
  {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["ro", "nosuid", "noexec", "nodev"],
  },
  { destination: "/dev", type: "dev", source: "dev", options: ["nosuid", "noexec"] },
  { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec"] },
  {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", `size=${SHM_BYTES}`],
  },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
];

/** Files of the host's that the runtime provides, below the pod's directory: docs/launch-plan.md does not fix them. */
export const PROVIDED_FILES = ["hosts", "hostname", "resolv.conf"] as const;

/** The launch plan of one app. */
export function launchPlan(pod: PodDraft, app: AppDraft): LaunchPlan {
  const { seccomp } = app.isolation;
  const custom = typeof seccomp === "object";
  return {
    ociVersion: "1.1.0",
    process: processOf(pod, app),
    root: { path: "rootfs", readonly: app.manifest.readOnlyRootFS },
    mounts: [
      ...SYSTEM_MOUNTS,
      ...providedMounts(pod, app),
      ...app.volumes.map((one) => volumeMount(pod, one)),
    ],
    linux: { maskedPaths: MASKED, readonlyPaths: READ_ONLY, ...(custom ? { seccomp } : {}) },
    gantry: { ...identity(pod, app), seccomp: custom ? "custom" : seccomp },
  };
}

/** Whether an app brings a system call filter of its own, which its launch plan then holds. */
export function hasFilter({ isolation }: Pick<AppDraft, "isolation">): boolean {
  return typeof isolation.seccomp === "object";
}

/** The plan of the pod's sandbox. */
export function sandboxPlan(pod: PodDraft): SandboxPlan {
  return {
    version: 1,
    uuid: pod.uuid,
    pod: pod.pod,
    hostname: pod.hostname,
    net: pod.net,
    ipc: "private",
    userns: pod.userns,
    socket: pod.places.socket,
    grace: 2,
  };
}

/** The directory of an app below its pod's. */
export function appDirectory(podDirectory: string, app: string): string {
  return join(podDirectory, "apps", app);
}

function processOf(pod: PodDraft, app: AppDraft): LaunchPlan["process"] {
  const { capabilities, oomScoreAdj } = app.isolation;
  const set = [...capabilities];
  const defaults = app.image.kind === "appc" ? [] : [{ name: "HOSTNAME", value: pod.hostname }];
  return {
    terminal: app.manifest.terminal,
    user: { uid: 0, gid: 0, umask: 0o022, additionalGids: [...app.app.supplementaryGIDs] },
    args: [...app.app.exec],
    env: processEnvironment(app.name, app.app.environment, defaults),
    cwd: app.app.workingDirectory,
    capabilities: { bounding: set, effective: set, permitted: set, inheritable: [], ambient: [] },
    rlimits: [],
    noNewPrivileges: app.isolation.noNewPrivileges ?? !isRoot(app.app.user),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
  };
}

/** Whether the user is root for certain; a name that turns out to be root's only gets less than it could have. */
function isRoot(user: string): boolean {
  return /^(|0|root)(:.*)?$/.test(user);
}

/** appc leaves an image's own /etc alone; Docker's images expect the runtime to bring these files. */
function providedMounts(pod: PodDraft, app: AppDraft): Mount[] {
  if (app.image.kind === "appc") return [];
  const taken = new Set(app.volumes.map((volume) => volume.path));
  const open = PROVIDED_FILES.filter((name) => !taken.has(`/etc/${name}`) && !taken.has("/etc"));
  return open.map((name) => ({
    destination: `/etc/${name}`,
    type: "bind",
    source: join(pod.places.pod, "etc", name),
    options: ["bind", "nosuid", "nodev", "noexec", ...idmapped(pod)],
  }));
}

function volumeMount(pod: PodDraft, volume: AppVolume): Mount {
  const kind = [volume.recursive ? "rbind" : "bind", ...(volume.copied ? ["copy"] : [])];
  const options = [...kind, "nosuid", "nodev", ...idmapped(pod)];
  return {
    destination: volume.path,
    type: "bind",
    source: volume.source,
    options: volume.readOnly ? [...options, "ro"] : options,
  };
}

function idmapped(pod: PodDraft): string[] {
  return pod.userns.mode === "pod" ? ["idmap"] : [];
}

function identity(pod: PodDraft, app: AppDraft): Omit<LaunchPlan["gantry"], "seccomp"> {
  const directory = appDirectory(pod.places.pod, app.name);
  return {
    version: 1,
    uuid: pod.uuid,
    pod: pod.pod,
    app: app.name,
    sandbox: pod.units.sandbox,
    socket: pod.places.socket,
    status: join(directory, "status"),
    image: { id: app.image.id, digest: app.image.digest },
    layers: app.image.layers.map((layer) => join(pod.places.layers, layerName(layer.diffId))),
    upper: join(directory, "upper"),
    work: join(directory, "work"),
    userns: pod.userns,
    user: userOf(app),
    createCwd: app.image.kind !== "appc",
    log: app.manifest.log,
    stdin: app.manifest.stdin,
    ready: app.manifest.ready ?? "exec",
  };
}

/** The directory name of a layer: its diff id with `-` for `:` (docs/on-disk-format.md). */
export function layerName(diffId: string): string {
  return diffId.replace(":", "-");
}

function userOf(app: AppDraft): NonNullable<LaunchPlan["gantry"]["user"]> {
  return { rules: app.image.kind === "appc" ? "appc" : "oci", user: app.app.user, group: app.app.group };
}
