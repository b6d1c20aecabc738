/**
 * What a caller asks for when a pod is made of images; Gantry then writes the manifest. Callers are the command line
 * and the bus, so everything is checked here and not there.
 */
import * as z from "zod";
import {
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

const Name = z.string();

/** Words that replace what the image says about one app. */
export const AppRequest = z.strictObject({
  /** Any name of an imported image. */
  image: z.string().min(1),
  name: Name.optional(),
  /** What follows the entrypoint (OCI: instead of Cmd). */
  args: z.array(z.string()).optional(),
  /** Replaces the entrypoint and clears the image's own arguments; `""` leaves no entrypoint. */
  exec: z.string().optional(),
  user: z.string().optional(),
  group: z.string().optional(),
  supplementaryGids: z.array(z.int().nonnegative()).optional(),
  workingDirectory: z.string().min(1).optional(),
  environment: z.array(Variable).default([]),
  mounts: z.array(VolumeMount).default([]),
  isolators: z.array(Isolator).default([]),
  readOnlyRootFS: z.boolean().optional(),
  restart: z.union([z.enum(RESTART_POLICIES).transform((policy) => ({ policy })), Restart]).optional(),
  annotations: z.array(z.strictObject({ name: z.string(), value: z.string() })).default([]),
  log: z.enum(["pipe", "journal", "null"]).optional(),
  stopTimeout: z.number().min(0).max(86_400).optional(),
  stopSignal: z.string().optional(),
});
export type AppRequest = z.infer<typeof AppRequest>;

export const PodRequest = z.strictObject({
  name: Name.optional(),
  hostname: HostName.optional(),
  network: z.array(z.string()).default(["none"]),
  userns: z.enum(["pod", "host"]).default("pod"),
  volumes: z.array(Volume).default([]),
  /** For every app; an app's own mount of the same path wins. */
  mounts: z.array(VolumeMount).default([]),
  /** The caller's own: weaker than the image's. */
  inherited: z.array(Variable).default([]),
  /** For every app: stronger than the image's, weaker than an app's own. */
  environment: z.array(Variable).default([]),
  /** A terminal for the only app; `term` is its TERM. */
  terminal: z.boolean().default(false),
  term: z.string().default("xterm"),
  /** Standard input as a stream, for the only app. */
  stdin: z.boolean().default(false),
  isolators: z.array(Isolator).default([]),
  apps: z.array(AppRequest).min(1).max(APPS_MAX, TOO_MANY_APPS),
});
export type PodRequest = z.infer<typeof PodRequest>;
/** As a caller writes it: what has a default may be left out. */
export type PodRequestInput = z.input<typeof PodRequest>;
export type AppRequestInput = z.input<typeof AppRequest>;
