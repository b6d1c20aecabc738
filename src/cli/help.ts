/** Help texts, made of what the verbs say about themselves. */
import { GLOBAL_OPTIONS } from "./options.ts";
import type { Option, Verb } from "./verb.ts";
import { VERBS } from "./verbs.ts";

/** `gantry VERB --help`. */
export function verbHelp(verb: Verb): string {
  const details = verb.details === undefined ? "" : `\n${verb.details}\n`;
  return `Usage: gantry ${verb.name} ${verb.synopsis}\n\n${capital(verb.summary)}.\n${details}\nOptions:\n${optionLines([...verb.options, ...GLOBAL_OPTIONS])}`;
}

/** `gantry help`: every verb with its one line. */
export async function overview(): Promise<string> {
  const loaded = await Promise.all(Object.values(VERBS).map((load) => load()));
  const rows = loaded.map(({ name, summary }) => [name, summary] as const);
  const lines = columns(rows.sort(([a], [b]) => (a < b ? -1 : 1)));
  return `Usage: gantry [--dir=DIR] VERB …\n\nRuns signed container images as ordinary systemd services.\n\nVerbs:\n${lines}\ngantry VERB --help tells more about each.\n`;
}

/** Options as they are written, with their meaning. */
export function optionLines(options: readonly Option[]): string {
  return columns(options.map((option) => [optionSynopsis(option), meaningOf(option)] as const));
}

/** An option as it is written. */
export function optionSynopsis({ name, value, optional }: Option): string {
  if (value === undefined) return `--${name}`;
  return optional ? `--${name}[=${value}]` : `--${name}=${value}`;
}

/** Rows of a help; a long left side gets a line of its own. */
export function columns(rows: readonly (readonly [left: string, right: string])[]): string {
  const width = 26;
  return rows
    .map(([left, right]) => {
      const gap = left.length > width ? `\n${" ".repeat(width + 4)}` : " ".repeat(width - left.length + 2);
      return `  ${left}${gap}${right}\n`;
    })
    .join("");
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

function meaningOf({ help, choices, repeat }: Option): string {
  const known = choices === undefined ? "" : ` (${choices.join(", ")})`;
  return `${help}${known}${repeat ? "; may be repeated" : ""}`;
}
