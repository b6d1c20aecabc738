/** Variables for every app: --set-env, --set-env-file, --inherit-env. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { pair, readText } from "./option-text.ts";
import type { Context, OptionValues } from "./verb.ts";

/** What the options set, files first. Throws Usage. */
export function environment(options: OptionValues): { name: string; value: string }[] {
  const set = options.values("set-env").map((text) => pair("set-env", text));
  const twice = set.find(({ name }, index) => set.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined) throw new GantryError("Usage", `--set-env: ${quoted(twice.name)} is set twice`);
  return [...options.values("set-env-file").flatMap(environmentFile), ...set];
}

function environmentFile(file: string): { name: string; value: string }[] {
  const lines = readText(file, "set-env-file").split("\n");
  const wanted = lines.filter((line) => !/^\s*(?:[#;]|$)/.test(line));
  return wanted.map((line) => {
    const at = line.indexOf("=");
    if (at >= 1) return { name: line.slice(0, at), value: line.slice(at + 1) };
    throw new GantryError("Usage", `${quoted(file)}: ${quoted(line)} must be specified as NAME=VALUE`);
  });
}

/** This command's own. */
export function inherited({ environment: variables }: Context): { name: string; value: string }[] {
  return Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}
