/**
 * The pod manifest: appc's PodManifest (0.8.11) with Gantry's own keys beside it (`name`, `hostname`, `network`, `userns`
 * of a pod; `args`, `restart`, `log`, `stdin`, `terminal`, `ready`, `watchdog`, `stopTimeout` of an app). An unknown key is an error.
 */
import * as z from "zod";
import {
  AbsolutePath,
  AcName,
  APPS_MAX,
  HostName,
  Isolator,
  RESTART_POLICIES,
  Restart,
  TOO_MANY_APPS,
  Variable,
  Volume,
  VolumeMount,
} from "./parts.ts";

export type { Isolator, Volume, VolumeMount } from "./parts.ts";

const SemVer = z.string().regex(/^\d+\.\d+\.\d+(?:[-+].*)?$/, "not a version");

/** Go writes an empty list as null. */
function list<T extends z.ZodType>(item: T) {
  return z
    .array(item)
    .nullish()
    .transform((value) => value ?? []);
}

const NameValue = z.strictObject({ name: z.string(), value: z.string() });
const MountPoint = z.strictObject({
  name: AcName,
  path: AbsolutePath,
  readOnly: z.boolean().default(false),
});

const Port = z.strictObject({
  name: AcName,
  protocol: z.string(),
  port: z.int().min(1).max(65535),
  count: z.int().min(1).default(1),
  socketActivated: z.boolean().default(false),
});

const EventHandler = z.strictObject({ name: z.enum(["pre-start", "post-stop"]), exec: z.array(z.string()) });

/** appc's `app`: how an app runs. */
export const App = z.strictObject({
  exec: list(z.string().regex(/^[^\0]*$/, "holds a NUL byte")),
  user: z.string(),
  group: z.string(),
  supplementaryGIDs: list(z.int().nonnegative()),
  workingDirectory: AbsolutePath.default("/"),
  environment: list(Variable),
  eventHandlers: list(EventHandler),
  mountPoints: list(MountPoint),
  ports: list(Port),
  isolators: list(Isolator),
  userAnnotations: z.record(z.string(), z.string()).default({}),
  userLabels: z.record(z.string(), z.string()).default({}),
});
export type App = z.infer<typeof App>;

export const PodApp = z.strictObject({
  name: AcName,
  image: z.strictObject({
    /** `sha256-…`, `sha512-…` or, in a manifest a user wrote, any name under which the image is known. */
    id: z.string().min(1),
    name: z.string().optional(),
    labels: list(z.strictObject({ name: z.string(), value: z.string() })),
  }),
  app: App.optional(),
  readOnlyRootFS: z.boolean().default(false),
  mounts: list(VolumeMount),
  annotations: list(NameValue),
  /** Replaces what follows the image's entrypoint, when `app` is not given. */
  args: z.array(z.string()).optional(),
  restart: z
    .union([z.enum(RESTART_POLICIES).transform((policy) => ({ policy })), Restart])
    .default({ policy: "no" }),
  log: z.enum(["pipe", "journal", "null"]).default("pipe"),
  stdin: z.enum(["null", "stream"]).default("null"),
  terminal: z.boolean().default(false),
  ready: z.enum(["exec", "app"]).optional(),
  /** Seconds within which systemd must hear WATCHDOG=1 again; only for an app that notifies. */
  watchdog: z.number().min(0.1).max(86_400).optional(),
  /** Seconds between the stop signal and SIGKILL. */
  stopTimeout: z.number().min(0).max(86_400).default(10),
  /** Signal that asks the app to stop; the image's own by default. */
  stopSignal: z.string().optional(),
});
export type PodApp = z.infer<typeof PodApp>;

const PodPort = z.strictObject({
  name: AcName,
  hostPort: z.int().min(1).max(65535),
  hostIP: z.string().optional(),
  podPort: Port.optional(),
});

export const PodManifest = z.strictObject({
  acKind: z.literal("PodManifest"),
  acVersion: SemVer,
  apps: z.array(PodApp).min(1).max(APPS_MAX, TOO_MANY_APPS),
  volumes: list(Volume),
  isolators: list(Isolator),
  annotations: list(NameValue),
  ports: list(PodPort),
  userAnnotations: z.record(z.string(), z.string()).default({}),
  userLabels: z.record(z.string(), z.string()).default({}),
  name: AcName.optional(),
  hostname: HostName.optional(),
  network: z.array(z.string()).default(["none"]),
  userns: z.enum(["pod", "host"]).default("pod"),
});
export type PodManifest = z.infer<typeof PodManifest>;
