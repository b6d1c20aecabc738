/**
 * A pod in a test host, made of plans written by hand: what stage1 is tested with, without the TypeScript that writes
 * plans otherwise. The image is one layer of busybox.
 */
import { randomBytes } from "node:crypto";
import type { LaunchPlan } from "../../../src/stage1/plan.ts";
import { until } from "../../fixtures/until.ts";
import type { Result, TestHost } from "../../host/host.ts";

export const BASE = 0x70000000;
/** Where the build puts the programs that run as apps. */
const BUILT = new URL("../../../build/native/stage1/", import.meta.url).pathname;
/** Prints the trust generation of the host it runs in. */
const TRUST = new URL("../../../build/native/trust/test-trust", import.meta.url).pathname;
const LAYER = "/var/lib/gantry/layers/sha256-test";
export const CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SYS_CHROOT",
  "CAP_MKNOD",
  "CAP_AUDIT_WRITE",
  "CAP_SETFCAP",
];

const MASKED = [
  "/proc/kcore",
  "/proc/keys",
  "/proc/timer_list",
  "/proc/interrupts",
  "/proc/acpi",
  "/proc/scsi",
  "/sys/firmware",
];
const READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const MOUNTS: LaunchPlan["mounts"] = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/dev", type: "dev", source: "dev", options: ["nosuid", "noexec"] },
  { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec"] },
  {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536"],
  },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["nosuid", "noexec", "nodev", "ro"],
  },
];

/** Puts busybox, and a user database, into a layer of the host. */
export async function makeLayer(host: TestHost): Promise<void> {
  const script = `set -e; umask 022; mkdir -p ${LAYER} /var/lib/gantry/pods; cd ${LAYER}; mkdir -p bin etc dev proc sys tmp home/www
    chmod 1777 tmp; cp /bin/busybox bin/busybox; cp ${BUILT}notify-client ${BUILT}identity ${BUILT}attack bin
    for tool in sh stat sleep cat echo id ls chmod chown mount umount kill true touch readlink pwd mkdir grep env ps printf nc test mknod ln rm sed tty od dd; do ln -f bin/busybox bin/$tool; done
    printf 'root:x:0:0:root:/root:/bin/sh\\nwww:x:33:34::/home/www:/bin/sh\\n1000:x:1234:1235::/home/numeric:/bin/sh\\n' > etc/passwd
    printf 'root:x:0:\\nweb:x:34:\\nlog:x:4:www\\nextra:x:77:other,www\\n' > etc/group
    chown 33:34 home/www; echo not-executable > bin/text; chmod 644 bin/text
    printf '#!/no/such/interpreter\\n' > bin/script; chmod 755 bin/script; printf 'garbage' > bin/garbage; chmod 755 bin/garbage; head -c 4096 bin/busybox >bin/torn; chmod 755 bin/torn
    chmod 4755 bin/identity`;
  const made = await host.exec(["sh", "-c", script]);
  if (made.status !== 0) throw new Error(`layer: ${made.stderr}`);
}

export type PodOptions = {
  readonly userns?: "pod" | "host";
  readonly index?: number;
  /** The sandbox answers no REGISTER before 10 s have passed, as it does for a front that attaches. */
  readonly hold?: boolean;
};
/** Changes a plan that would start `args` as root of the pod. */
export type Change = (plan: Mutable<LaunchPlan>) => void;
export type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;

export type Pod = {
  readonly unit: string;
  readonly directory: string;
  /** Writes a plan and starts its unit; resolves when the start job has ended. */
  readonly start: (app: string, args: string[], change?: Change, properties?: string[]) => Promise<Result>;
  /** Starts, waits for the unit's end, and returns systemd's facts of it. */
  readonly finish: (app: string, args: string[], change?: Change, properties?: string[]) => Promise<Facts>;
  /** Waits for the unit's end. */
  readonly ended: (app: string) => Promise<Facts>;
  readonly facts: (app: string) => Promise<Facts>;
  /** What the app's unit wrote to the journal, one line each. */
  readonly log: (app: string) => Promise<string>;
  /** The same, of what journald has come to by now. */
  readonly logged: (app: string) => Promise<string>;
  /** Runs a shell script in an app and returns what it printed; the script must exit 0. */
  readonly shell: (script: string, change?: Change) => Promise<string>;
  readonly stop: () => Promise<void>;
};

export type Facts = Record<string, string>;

/** Starts a sandbox in the host. */
export async function startPod(host: TestHost, options: PodOptions = {}): Promise<Pod> {
  const uuid = randomBytes(16).toString("hex");
  const pod = `t${uuid.slice(0, 8)}`;
  const directory = `/var/lib/gantry/pods/${uuid}`;
  const unit = `gantry-${pod}.service`;
  const slice = `gantry-${pod}.slice`;
  const userns =
    options.userns === "host"
      ? ({ mode: "host" } as const)
      : ({ mode: "pod", base: BASE + 65536 * (options.index ?? 0), size: 65536 } as const);
  const socket = `/run/gantry/pods/${uuid}/io`;
  const run = async (argv: readonly string[]): Promise<Result> => host.exec(argv);
  await run(["mkdir", "-p", "-m", "0755", directory]);
  const sandbox = {
    version: 1,
    uuid,
    pod,
    hostname: pod,
    net: "none",
    ipc: "private",
    userns,
    socket,
    grace: 2,
  };
  await host.put(`${directory}/sandbox.json`, JSON.stringify(sandbox), 0o600);
  const generation = (await run([TRUST, "--of", ""])).stdout.trim();
  const trust = { version: 1, generation, since: 1, images: [] };
  await host.put(`${directory}/trust.json`, JSON.stringify(trust), 0o600);
  const started = await run([
    ...[
      "systemd-run",
      "--quiet",
      `--unit=${unit}`,
      `--slice=${slice}`,
      "-p",
      "Type=simple",
      "-p",
      "NotifyAccess=main",
    ],
    ...["-p", `RuntimeDirectory=gantry/pods/${uuid}`, "-p", "RuntimeDirectoryMode=0700"],
    ...(options.hold ? ["-p", "Environment=GANTRY_ATTACH=1"] : []),
    ...["/usr/lib/gantry/gantry-sandbox", `${directory}/sandbox.json`],
  ]);
  if (started.status !== 0)
    throw new Error(`sandbox: ${started.stderr}${(await run(["journalctl", "-u", unit])).stdout}`);

  const planOf = (app: string, args: string[]): Mutable<LaunchPlan> => {
    const own = `${directory}/apps/${app}`;
    const all = [...CAPABILITIES];
    return {
      ociVersion: "1.1.0",
      process: {
        terminal: false,
        user: { uid: 0, gid: 0, umask: 0o22, additionalGids: [] },
        args,
        env: ["PATH=/bin"],
        cwd: "/",
        capabilities: { bounding: all, effective: all, permitted: all, inheritable: [], ambient: [] },
        rlimits: [],
        noNewPrivileges: true,
      },
      root: { path: "rootfs", readonly: false },
      mounts: structuredClone(MOUNTS),
      linux: { maskedPaths: [...MASKED], readonlyPaths: [...READONLY] },
      gantry: {
        version: 1,
        uuid,
        pod,
        app,
        sandbox: unit,
        socket,
        status: `${own}/status`,
        image: { id: "sha256-test", digest: `sha256:${"0".repeat(64)}` },
        layers: [LAYER],
        upper: `${own}/upper`,
        work: `${own}/work`,
        userns,
        createCwd: false,
        seccomp: "default",
        log: "journal",
        stdin: "null",
        ready: "exec",
      },
    };
  };
  const appUnit = (app: string): string => `gantry-${pod}.${app}.service`;

  const start = async (
    app: string,
    args: string[],
    change: Change = () => {},
    properties: string[] = [],
  ): Promise<Result> => {
    const plan = planOf(app, args);
    change(plan);
    await run(["mkdir", "-p", `${directory}/apps/${app}`]);
    await host.put(`${directory}/apps/${app}/plan.json`, JSON.stringify(plan), 0o600);
    return run([
      ...[
        "systemd-run",
        "--quiet",
        `--unit=${appUnit(app)}`,
        `--slice=${slice}`,
        "-p",
        "Type=notify",
        "-p",
        "NotifyAccess=main",
      ],
      ...[
        "-p",
        `BindsTo=${unit}`,
        "-p",
        `After=${unit}`,
        "-p",
        "DevicePolicy=closed",
        "-p",
        `SyslogIdentifier=${app}`,
      ],
      ...[
        "-p",
        "TimeoutStopSec=5",
        "-p",
        "RemainAfterExit=yes",
        ...properties.flatMap((property) => ["-p", property]),
      ],
      ...["/usr/lib/gantry/gantry-stage1", `${directory}/apps/${app}/plan.json`],
    ]);
  };
  const facts = async (app: string): Promise<Facts> => {
    const names =
      "ActiveState,SubState,Result,ExecMainStatus,ExecMainCode,StatusText,StatusErrno,MainPID,NRestarts";
    const shown = await run(["systemctl", "show", appUnit(app), "-p", names]);
    return Object.fromEntries(
      shown.stdout
        .split("\n")
        .map((line) => [line.split("=", 1)[0] ?? "", line.slice(line.indexOf("=") + 1)]),
    );
  };
  const ended = (app: string): Promise<Facts> =>
    until(
      () => facts(app),
      (now) => now["ActiveState"] !== "active" || now["SubState"] !== "running",
    );
  const finish = async (
    app: string,
    args: string[],
    change?: Change,
    properties?: string[],
  ): Promise<Facts> => {
    const job = await start(app, args, change, properties);
    return { ...(await ended(app)), Job: String(job.status) };
  };
  const logged = async (app: string): Promise<string> =>
    (await run(["journalctl", "-o", "cat", "-u", appUnit(app), `SYSLOG_IDENTIFIER=${app}`])).stdout;
  const log = async (app: string): Promise<string> => {
    await run(["journalctl", "--sync"]);
    return await logged(app);
  };
  let count = 0;
  const shell = async (script: string, change?: Change): Promise<string> => {
    count += 1;
    const app = `shell${count}`;
    const ended = await finish(app, ["sh", "-c", script], change);
    const text = await log(app);
    if (ended["ExecMainStatus"] !== "0") throw new Error(`${script}: ${JSON.stringify(ended)}\n${text}`);
    return text.trim();
  };
  const stop = async (): Promise<void> => {
    await run(["systemctl", "stop", unit, slice]);
  };
  return { unit, directory, start, ended, finish, facts, log, logged, shell, stop };
}
