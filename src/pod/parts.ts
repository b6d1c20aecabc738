/**
 * Parts that pod manifests and requests share. They stand apart because every `run` builds the schema of a request,
 * and few build the whole manifest's.
 */
import * as z from "zod";
import { AC_NAME, MAX_NAME } from "./words.ts";

// A schema is used once per process here: compiling it to code costs more than it saves.
z.config({ jitless: true });

/** The sandbox has room for the output of so many (RELAY_APPS_MAX in native/relay/relay.h). */
export const APPS_MAX = 64;
export const TOO_MANY_APPS = `a pod has at most ${APPS_MAX} apps`;

export const AcName = z.string().regex(AC_NAME, "not an ACName").max(MAX_NAME);
const AcIdentifier = z.string().regex(/^[a-z0-9]+(?:[-._~/][a-z0-9]+)*$/, "not an ACIdentifier");
export const AbsolutePath = z.string().regex(/^\/[^\0]*$/, "not an absolute path");
/** At most HOST_NAME_MAX of Linux. */
export const HostName = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/, "not a host name")
  .max(64);

export const Variable = z.strictObject({
  name: z.string().regex(/^[^=\0]+$/, "not a variable's name"),
  value: z.string().regex(/^[^\0]*$/, "holds a NUL byte"),
});
export const Isolator = z.strictObject({ name: AcIdentifier, value: z.unknown() });
export type Isolator = z.infer<typeof Isolator>;

const EmptyVolume = z.strictObject({
  name: AcName,
  kind: z.literal("empty"),
  mode: z
    .string()
    .regex(/^[0-7]{3,4}$/, "not an octal mode")
    .default("0755"),
  uid: z.int().min(0).max(65535).default(0),
  gid: z.int().min(0).max(65535).default(0),
  readOnly: z.boolean().optional(),
});

const HostVolume = z.strictObject({
  name: AcName,
  kind: z.literal("host"),
  source: AbsolutePath,
  recursive: z.boolean().default(true),
  readOnly: z.boolean().optional(),
});

export const Volume = z.discriminatedUnion("kind", [EmptyVolume, HostVolume]);
export type Volume = z.infer<typeof Volume>;

export const VolumeMount = z.strictObject({
  volume: AcName,
  path: AbsolutePath,
  appVolume: Volume.optional(),
});
export type VolumeMount = z.infer<typeof VolumeMount>;

export const RESTART_POLICIES = [
  "no",
  "on-success",
  "on-failure",
  "on-abnormal",
  "on-watchdog",
  "on-abort",
  "always",
] as const;

/** systemd's Restart= and its friends; delays and intervals in seconds. */
export const Restart = z.strictObject({
  policy: z.enum(RESTART_POLICIES),
  delay: z.number().min(0).max(86_400).optional(),
  limit: z.strictObject({ starts: z.int().positive(), interval: z.number().positive() }).optional(),
});
