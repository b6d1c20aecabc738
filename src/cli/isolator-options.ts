/** Limits and permissions as isolators: --memory, --cpu, --caps-retain, --seccomp … */
import { GantryError } from "../base/errors.ts";
import { parseQuantity } from "../manager/quantity.ts";
import { invalid } from "./option-text.ts";
import type { OptionValues } from "./verb.ts";

type Isolator = { readonly name: string; readonly value: unknown };

/** Those that a pod may have as well as an app. Throws Usage. */
export function limits(options: OptionValues): Isolator[] {
  const of = (option: string, name: string) => {
    const limit = options.value(option);
    return limit === undefined ? [] : [{ name, value: { limit: quantity(option, limit) } }];
  };
  return [...of("memory", "resource/memory"), ...of("cpu", "resource/cpu"), ...of("pids", "resource/pids")];
}

/** Those of an app alone. Throws Usage. */
export function appIsolators(options: OptionValues): Isolator[] {
  const retain = options.value("caps-retain");
  const remove = options.value("caps-remove");
  if (retain !== undefined && remove !== undefined) {
    throw new GantryError("Usage", "cannot use both --caps-retain and --caps-remove on the same image");
  }
  const plain = (option: string, name: string) => {
    const value = options.value(option);
    return value === undefined ? [] : [{ name, value: number(option, value) }];
  };
  return [
    ...capabilitySet("retain", retain),
    ...capabilitySet("remove", remove),
    ...seccomp(options.value("seccomp")),
    ...plain("cpu-shares", "os/linux/cpu-shares"),
    ...plain("oom-score-adj", "os/linux/oom-score-adj"),
  ];
}

function quantity(option: string, text: string): string {
  if (parseQuantity(text) !== undefined) return text;
  throw invalid(option, text, "it is not a quantity such as 500m, 128Mi or 2");
}

function number(option: string, text: string): string {
  if (/^-?\d{1,9}$/.test(text)) return text;
  throw invalid(option, text, "it is not a number");
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
