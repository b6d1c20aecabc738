/** The options of pods and apps; src/cli/pod-request.ts is what they mean. */
import type { Option, Verb } from "./verb.ts";

/** What `run` and `prepare` take. */
export const POD_SYNOPSIS = "[POD OPTION…] IMAGE [APP OPTION…] [-- ARG… [---]] [IMAGE …]";

const MOUNT = { name: "mount", value: "volume=NAME,target=PATH", repeat: true } as const;
const MEMORY = { name: "memory", value: "BYTES" } as const;
const CPU = { name: "cpu", value: "CORES" } as const;
const PIDS = { name: "pids", value: "N" } as const;

/** Decided when a pod is prepared. */
export const POD_OPTIONS: readonly Option[] = [
  { name: "name", value: "NAME", help: "name of the pod" },
  { name: "net", value: "NETWORK", optional: true, repeat: true, help: "none (default) or host" },
  { name: "hostname", value: "NAME", help: "host name inside the pod" },
  {
    name: "userns",
    value: "MODE",
    choices: ["pod", "host"],
    help: "pod: own user ids (default); host: the host's",
  },
  {
    name: "volume",
    value: "NAME,kind=host|empty[,…]",
    repeat: true,
    help: "declare a volume: source=, readOnly=, recursive=, mode=, uid=, gid=",
  },
  { ...MOUNT, help: "mount a volume in every app" },
  { name: "set-env", value: "NAME=VALUE", repeat: true, help: "variable for every app" },
  { name: "set-env-file", value: "FILE", repeat: true, help: "lines NAME=VALUE for every app" },
  { name: "inherit-env", help: "pass this command's environment on" },
  { name: "interactive", help: "connect standard input to the only app; a terminal if this is one" },
  { name: "pod-manifest", value: "FILE", help: "a pod manifest instead of images" },
  {
    name: "insecure-options",
    value: "LIST",
    help: "image: accept images without a signature; tls, http: a registry without a good certificate, without TLS",
  },
  {
    name: "pull-policy",
    value: "POLICY",
    choices: ["new", "update", "never"],
    help: "when to ask a registry: if the store has no such image (default), always, never; files are always read",
  },
  { ...MEMORY, help: "memory limit of the whole pod, such as 128M" },
  { ...CPU, help: "CPU limit of the whole pod, such as 500m or 2" },
  { ...PIDS, help: "limit of the whole pod's processes" },
];

/** Follow the image they are about. */
export const APP_OPTIONS: readonly Option[] = [
  { name: "name", value: "NAME", help: "name of this app" },
  { name: "exec", value: "PATH", help: "program instead of the image's entrypoint" },
  { name: "user", value: "USER", help: "user name or id" },
  { name: "group", value: "GROUP", help: "group name or id" },
  { name: "supplementary-gids", value: "GID,…", help: "further group ids" },
  { name: "working-dir", value: "DIR", help: "working directory" },
  { name: "environment", value: "NAME=VALUE", repeat: true, help: "variable of this app" },
  { ...MOUNT, help: "mount a volume in this app" },
  { ...MEMORY, help: "memory limit of this app, such as 128M" },
  { ...CPU, help: "CPU limit of this app, such as 500m or 2" },
  { ...PIDS, help: "limit of this app's processes" },
  { name: "cpu-shares", value: "N", help: "relative weight, 1024 being normal" },
  { name: "oom-score-adj", value: "N", help: "-1000 to 1000" },
  { name: "caps-retain", value: "CAP_A,…", help: "exactly these capabilities" },
  { name: "caps-remove", value: "CAP_A,…", help: "the default capabilities without these" },
  {
    name: "seccomp",
    value: "mode=retain|remove[,errno=E…],CALL,…",
    help: "system calls to allow only, or to block",
  },
  { name: "readonly-rootfs", help: "mount the root file system read-only" },
  {
    name: "restart",
    value: "POLICY",
    choices: ["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"],
    help: "systemd's Restart= for this app",
  },
  { name: "annotation", value: "NAME=VALUE", repeat: true, help: "annotation of this app" },
];

/** Every option that a verb takes, each name once: where images have options, those of apps as well. */
export function optionsOf({ synopsis, options }: Verb): readonly Option[] {
  const all = synopsis === POD_SYNOPSIS ? [...options, ...APP_OPTIONS] : options;
  return all.filter((option, index) => all.findIndex((other) => other.name === option.name) === index);
}
