/** The options of pods and apps, and the request they make. Values are checked by the manager, not here. */
import { readFileSync } from "node:fs";
import { errnoOf, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { AppRequest, PodRequest } from "../manager/manager.ts";
import type { AppWords, PodWords } from "./pod-grammar.ts";
import type { Context, Option, OptionValues } from "./verb.ts";

const NAME: Option = {
  name: "name",
  value: "NAME",
  help: "name of the pod (before the images) or app (after its image)",
};
const MOUNT: Option = {
  name: "mount",
  value: "volume=NAME,target=PATH",
  repeat: true,
  help: "mount a volume; before the first image in every app",
};
const LIMITS: readonly Option[] = [
  {
    name: "memory",
    value: "BYTES",
    help: "memory limit such as 128M; before the first image of the whole pod",
  },
  {
    name: "cpu",
    value: "CORES",
    help: "CPU limit such as 500m or 2; before the first image of the whole pod",
  },
  { name: "pids", value: "N", help: "limit of processes; before the first image of the whole pod" },
];

/** Decided when a pod is prepared. */
export const POD_OPTIONS: readonly Option[] = [
  NAME,
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
  MOUNT,
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
  ...LIMITS,
];

/** Follow the image they are about. */
export const APP_OPTIONS: readonly Option[] = [
  NAME,
  { name: "exec", value: "PATH", help: "program instead of the image's entrypoint" },
  { name: "user", value: "USER", help: "user name or id" },
  { name: "group", value: "GROUP", help: "group name or id" },
  { name: "supplementary-gids", value: "GID,…", help: "further group ids" },
  { name: "working-dir", value: "DIR", help: "working directory" },
  { name: "environment", value: "NAME=VALUE", repeat: true, help: "variable of this app" },
  MOUNT,
  ...LIMITS,
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

/** Options that a pod manifest says itself. */
const NOT_WITH_MANIFEST = [
  "volume",
  "mount",
  "set-env",
  "set-env-file",
  "inherit-env",
  "name",
  "net",
  "hostname",
];
const ALSO_NOT_WITH_MANIFEST = ["userns", "interactive", "memory", "cpu", "pids"];

/** The path of the manifest, when one is given. Throws Usage when images or options stand beside it. */
export function manifestFile({ options, apps }: PodWords): string | undefined {
  const file = options.value("pod-manifest");
  if (file === undefined) return undefined;
  const beside = [...NOT_WITH_MANIFEST, ...ALSO_NOT_WITH_MANIFEST].find(
    (name) => options.value(name) !== undefined,
  );
  if (beside !== undefined) throw new GantryError("Usage", `--${beside} conflicts with --pod-manifest`);
  if (apps.length > 0)
    throw new GantryError("Usage", `image ${quoted(apps[0]?.image ?? "")} conflicts with --pod-manifest`);
  return file;
}

export function insecureOptions(options: OptionValues): string[] {
  return (options.value("insecure-options") ?? "").split(",").filter((word) => word !== "");
}

/** The request that the words make. Throws Usage. */
export function podRequest({ options, apps }: PodWords, context: Context): PodRequest {
  if (apps.length === 0) throw new GantryError("Usage", "must provide at least one image");
  const terminal = options.flag("interactive") && context.stdinTerminal;
  return {
    ...optional({ name: options.value("name"), hostname: options.value("hostname") }),
    ...(options.value("userns") === "host" ? { userns: "host" } : {}),
    network: networks(options.values("net")),
    volumes: options.values("volume").map(volume),
    mounts: options.values("mount").map(mount),
    inherited: options.flag("inherit-env") ? inherited(context) : [],
    environment: environment(options),
    terminal,
    ...(terminal && context.environment["TERM"] !== undefined ? { term: context.environment["TERM"] } : {}),
    stdin: options.flag("interactive"),
    isolators: limits(options),
    apps: apps.map(appRequest),
  };
}

function appRequest({ image, options, args }: AppWords): AppRequest {
  return {
    image,
    ...optional({
      name: options.value("name"),
      exec: options.value("exec"),
      user: options.value("user"),
      group: options.value("group"),
      workingDirectory: options.value("working-dir"),
    }),
    ...(args === undefined ? {} : { args: [...args] }),
    ...(options.value("supplementary-gids") === undefined ? {} : { supplementaryGids: gids(options) }),
    environment: options.values("environment").map((text) => pair("environment", text)),
    mounts: options.values("mount").map(mount),
    isolators: [...limits(options), ...appIsolators(options)],
    ...(options.value("readonly-rootfs") === undefined
      ? {}
      : { readOnlyRootFS: options.flag("readonly-rootfs") }),
    ...(options.value("restart") === undefined ? {} : { restart: options.value("restart") as "no" }),
    annotations: options.values("annotation").map((text) => pair("annotation", text)),
  };
}

/** Without the members that are undefined. */
function optional<T extends Record<string, string | undefined>>(values: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string;
  };
}

function networks(words: readonly string[]): string[] {
  const names = words.flatMap((word) => (word === "" ? ["default"] : word.split(",")));
  if (names.includes("")) throw new GantryError("Usage", "--net: a network's name must not be empty");
  return names.length === 0 ? ["none"] : names;
}

function pair(option: string, text: string): { name: string; value: string } {
  const at = text.indexOf("=");
  if (at < 1) throw new GantryError("Usage", `--${option} ${quoted(text)} must be specified as NAME=VALUE`);
  return { name: text.slice(0, at), value: text.slice(at + 1) };
}

function environment(options: OptionValues): { name: string; value: string }[] {
  const set = options.values("set-env").map((text) => pair("set-env", text));
  const twice = set.find(({ name }, index) => set.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined) throw new GantryError("Usage", `--set-env: ${quoted(twice.name)} is set twice`);
  return [...options.values("set-env-file").flatMap(environmentFile), ...set];
}

function environmentFile(file: string): { name: string; value: string }[] {
  const lines = readText("set-env-file", file).split("\n");
  const wanted = lines.filter((line) => !/^\s*(?:[#;]|$)/.test(line));
  return wanted.map((line) => {
    const at = line.indexOf("=");
    if (at >= 1) return { name: line.slice(0, at), value: line.slice(at + 1) };
    throw new GantryError("Usage", `${quoted(file)}: ${quoted(line)} must be specified as NAME=VALUE`);
  });
}

/** The text of a file that an option names. Throws Usage. */
export function readText(option: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new GantryError("Usage", `--${option}: ${quoted(file)} cannot be read: ${errnoOf(cause) ?? "?"}`, {
      cause,
    });
  }
}

function inherited({ environment: variables }: Context): { name: string; value: string }[] {
  return Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

type Volume = NonNullable<PodRequest["volumes"]>[number];

function volume(text: string): Volume {
  const [name = "", ...rest] = text.split(",");
  const parameters = parametersOf("volume", text, rest);
  const allowed = ["kind", "source", "readOnly", "recursive", "mode", "uid", "gid"];
  const unknown = Object.keys(parameters).find((key) => !allowed.includes(key));
  if (unknown !== undefined) throw invalid("volume", text, `unknown volume parameter ${quoted(unknown)}`);
  const { kind, source, mode, readOnly, recursive, uid, gid } = parameters;
  if (kind !== "host" && kind !== "empty") {
    throw invalid("volume", text, 'unrecognized volume kind: should be one of "empty", "host"');
  }
  const given = {
    name,
    kind,
    ...(source === undefined ? {} : { source }),
    ...(mode === undefined ? {} : { mode }),
    ...(readOnly === undefined ? {} : { readOnly: boolean("volume", text, readOnly) }),
    ...(recursive === undefined ? {} : { recursive: boolean("volume", text, recursive) }),
    ...(uid === undefined ? {} : { uid: integer("volume", text, uid) }),
    ...(gid === undefined ? {} : { gid: integer("volume", text, gid) }),
  };
  if (kind === "host" && source === undefined)
    throw invalid("volume", text, "source for host volume cannot be empty");
  // What does not go with the kind is refused by the manager's schema.
  return given as Volume;
}

function mount(text: string): { volume: string; path: string } {
  const parameters = parametersOf("mount", text, text.split(","));
  const unknown = Object.keys(parameters).find((key) => key !== "volume" && key !== "target");
  if (unknown !== undefined) throw invalid("mount", text, `unknown mount parameter ${quoted(unknown)}`);
  const { volume: name, target } = parameters;
  if (name === undefined || target === undefined)
    throw invalid("mount", text, "volume and target must be set");
  return { volume: name, path: target };
}

function parametersOf(
  option: string,
  text: string,
  words: readonly string[],
): { readonly [key: string]: string | undefined } {
  const parameters = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf("=");
    if (at < 1) throw invalid(option, text, `${quoted(word)} is not KEY=VALUE`);
    const key = word.slice(0, at);
    if (parameters.has(key)) throw invalid(option, text, `${quoted(key)} is given twice`);
    parameters.set(key, word.slice(at + 1));
  }
  return Object.fromEntries(parameters);
}

function invalid(option: string, text: string, why: string): GantryError {
  return new GantryError("Usage", `invalid value in --${option} flag ${quoted(text)}: ${why}`);
}

function boolean(option: string, text: string, value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw invalid(option, text, `${quoted(value)} is neither true nor false`);
}

function integer(option: string, text: string, value: string): number {
  if (/^\d{1,10}$/.test(value)) return Number(value);
  throw invalid(option, text, `${quoted(value)} is not a number`);
}

function gids(options: OptionValues): number[] {
  const text = options.value("supplementary-gids") ?? "";
  return text.split(",").map((word) => integer("supplementary-gids", text, word));
}

type Isolator = { readonly name: string; readonly value: unknown };

function limits(options: OptionValues): Isolator[] {
  const of = (option: string, name: string) => {
    const limit = options.value(option);
    return limit === undefined ? [] : [{ name, value: { limit } }];
  };
  return [...of("memory", "resource/memory"), ...of("cpu", "resource/cpu"), ...of("pids", "resource/pids")];
}

function appIsolators(options: OptionValues): Isolator[] {
  const retain = options.value("caps-retain");
  const remove = options.value("caps-remove");
  if (retain !== undefined && remove !== undefined) {
    throw new GantryError("Usage", "cannot use both --caps-retain and --caps-remove on the same image");
  }
  const plain = (option: string, name: string) => {
    const value = options.value(option);
    return value === undefined ? [] : [{ name, value }];
  };
  return [
    ...capabilitySet("retain", retain),
    ...capabilitySet("remove", remove),
    ...seccomp(options.value("seccomp")),
    ...plain("cpu-shares", "os/linux/cpu-shares"),
    ...plain("oom-score-adj", "os/linux/oom-score-adj"),
  ];
}

function capabilitySet(kind: "retain" | "remove", list: string | undefined): Isolator[] {
  if (list === undefined) return [];
  return [{ name: `os/linux/capabilities-${kind}-set`, value: { set: list.split(",") } }];
}

function seccomp(text: string | undefined): Isolator[] {
  if (text === undefined) return [];
  const words = text.split(",");
  const named = (key: string) => words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  const mode = named("mode");
  if (mode !== "retain" && mode !== "remove") throw invalid("seccomp", text, "mode must be retain or remove");
  const errno = named("errno");
  const set = words.filter((word) => !word.includes("="));
  return [
    { name: `os/linux/seccomp-${mode}-set`, value: { set, ...(errno === undefined ? {} : { errno }) } },
  ];
}
