/** The request, or the manifest, that the words of `run` and `prepare` mean. Values are checked by the manager, not here. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { AppRequest, PodRequest } from "../manager/manager.ts";
import { environment, inherited } from "./environment-options.ts";
import { appIsolators, limits } from "./isolator-options.ts";
import { integer, pair } from "./option-text.ts";
import type { AppWords, PodWords } from "./pod-grammar.ts";
import { POD_SYNOPSIS } from "./pod-options.ts";
import type { Context, OptionValues } from "./verb.ts";
import { mount, volume } from "./volume-options.ts";

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
  if (apps.length === 0) {
    const hint = `usage: gantry run|prepare ${POD_SYNOPSIS}`;
    throw new GantryError("Usage", "must provide at least one image", { hint });
  }
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

function gids(options: OptionValues): number[] {
  const text = options.value("supplementary-gids") ?? "";
  return text.split(",").map((word) => integer("supplementary-gids", text, word));
}
