/** The launch plan of an app, `apps/<app>/plan.json`. docs/launch-plan.md is the contract; native/plan the other reader. */
import * as z from "zod";
import { AppName, IdRange, ImageDigest, Path, PodUuid, UnitName } from "./words.ts";

const Capabilities = z.array(z.string().regex(/^CAP_[A-Z_]+$/));

const Rlimit = z.strictObject({
  type: z.string().regex(/^RLIMIT_[A-Z]+$/),
  /** -1: unlimited. */
  soft: z.int().min(-1),
  hard: z.int().min(-1),
});

const Process = z.strictObject({
  terminal: z.boolean(),
  user: z.strictObject({
    uid: z.int().nonnegative(),
    gid: z.int().nonnegative(),
    umask: z.int().min(0).max(0o777),
    additionalGids: z.array(z.int().nonnegative()),
  }),
  args: z.array(z.string()).min(1),
  env: z.array(z.string().regex(/^[^=\0]+=[^\0]*$/)),
  cwd: Path,
  capabilities: z.strictObject({
    bounding: Capabilities,
    effective: Capabilities,
    permitted: Capabilities,
    inheritable: Capabilities,
    ambient: Capabilities,
  }),
  rlimits: z.array(Rlimit),
  noNewPrivileges: z.boolean(),
  oomScoreAdj: z.int().min(-1000).max(1000).optional(),
});

export const MOUNT_TYPES = ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "bind", "dev"] as const;

const MountOption = z
  .string()
  .regex(/^(ro|rw|nosuid|nodev|noexec|bind|rbind|rprivate|idmap|copy|size=[0-9]+|mode=[0-7]{3,4})$/);

/** The types that options go with, where that is not all: one without effect would be a promise that is not kept. */
const OPTION_TYPES: Readonly<Record<string, readonly string[]>> = {
  rbind: ["bind"],
  idmap: ["bind"],
  copy: ["bind"],
  size: ["tmpfs", "dev"],
  mode: ["tmpfs", "dev", "devpts"],
  // A /dev has to be filled first, with nodes that work.
  ro: MOUNT_TYPES.filter((type) => type !== "dev"),
  nodev: MOUNT_TYPES.filter((type) => type !== "dev"),
};

export const Mount = z
  .strictObject({
    destination: Path,
    type: z.enum(MOUNT_TYPES),
    source: z.string(),
    options: z.array(MountOption),
  })
  .refine(
    ({ type, options }) =>
      options.every((option) => OPTION_TYPES[option.replace(/=.*/, "")]?.includes(type) ?? true),
    { message: "an option that does not go with the type", path: ["options"] },
  );
export type Mount = z.infer<typeof Mount>;

const SeccompRule = z.strictObject({
  names: z.array(z.string()).min(1),
  action: z.string().regex(/^SCMP_ACT_[A-Z_]+$/),
  errnoRet: z.int().nonnegative().optional(),
  args: z
    .array(
      z.strictObject({
        index: z.int().min(0).max(5),
        value: z.int().nonnegative(),
        valueTwo: z.int().nonnegative().optional(),
        op: z.string().regex(/^SCMP_CMP_[A-Z_]+$/),
      }),
    )
    .optional(),
});

export const Seccomp = z.strictObject({
  defaultAction: z.string().regex(/^SCMP_ACT_[A-Z_]+$/),
  defaultErrnoRet: z.int().nonnegative().optional(),
  architectures: z.array(z.string().regex(/^SCMP_ARCH_[A-Z0-9_]+$/)).optional(),
  syscalls: z.array(SeccompRule).optional(),
});
export type Seccomp = z.infer<typeof Seccomp>;

const Gantry = z.strictObject({
  version: z.literal(1),
  uuid: PodUuid,
  pod: z.string(),
  app: AppName,
  sandbox: UnitName,
  socket: Path,
  status: Path,
  image: z.strictObject({ id: z.string(), digest: ImageDigest }),
  layers: z.array(Path).min(1),
  upper: Path,
  work: Path,
  userns: IdRange,
  user: z.strictObject({ rules: z.enum(["appc", "oci"]), user: z.string(), group: z.string() }).optional(),
  createCwd: z.boolean(),
  seccomp: z.enum(["default", "none", "custom"]),
  log: z.enum(["pipe", "journal", "null"]),
  stdin: z.enum(["null", "stream"]),
  ready: z.enum(["exec", "app"]),
});

export const LaunchPlan = z
  .strictObject({
    ociVersion: z.string().regex(/^1\.[0-9]+\.[0-9]+$/),
    process: Process,
    root: z.strictObject({ path: z.literal("rootfs"), readonly: z.boolean() }),
    mounts: z.array(Mount),
    linux: z.strictObject({
      maskedPaths: z.array(Path),
      readonlyPaths: z.array(Path),
      seccomp: Seccomp.optional(),
    }),
    gantry: Gantry,
  })
  .refine((plan) => (plan.gantry.seccomp === "custom") === (plan.linux.seccomp !== undefined), {
    message: 'linux.seccomp goes with gantry.seccomp "custom", and only with it',
    path: ["linux", "seccomp"],
  });
export type LaunchPlan = z.infer<typeof LaunchPlan>;
