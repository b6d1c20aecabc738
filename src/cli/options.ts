/** Long options: `--name=value`, `--name value`, switches, and `--wait[=5s]` where the value may be left out. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Option, OptionValues } from "./verb.ts";

export type Taken = { readonly option: Option; readonly value: string; readonly next: number };

/** An option that its place does not know; src/cli/hints.ts guesses what was meant. */
export class UnknownOption extends GantryError {
  readonly option: string;
  readonly known: readonly Option[];

  constructor(option: string, known: readonly Option[], hint?: string) {
    super("Usage", `unknown option ${quoted(option)}`, hint === undefined ? {} : { hint });
    this.option = option;
    this.known = known;
  }
}

/** Accepted by every verb, in any place where options are. */
export const GLOBAL_OPTIONS: readonly Option[] = [
  { name: "dir", value: "DIR", help: "data directory instead of /var/lib/gantry" },
  { name: "help", help: "say how the verb is used" },
];

/** Whether a word is an option. A lone dash is an operand, `--` and `---` are marks. */
export function isOption(word: string): boolean {
  return /^-[^-]|^--[^-]/.test(word);
}

/** The option of the table that a word means. */
export function findOption(word: string, table: readonly Option[]): Option | undefined {
  if (word === "-h") return table.find(({ name }) => name === "help");
  return word.startsWith("--") ? table.find(({ name }) => name === optionName(word)) : undefined;
}

/** `name` of `--name=value`. */
export function optionName(word: string): string {
  return word.replace(/^--?|=.*$/gs, "");
}

/** Reads the option at words[at]. Throws Usage naming it. */
export function takeOption(words: readonly string[], at: number, table: readonly Option[]): Taken {
  const word = words[at] ?? "";
  const option = findOption(word, table);
  if (option === undefined) throw new UnknownOption(word.replace(/=.*$/s, ""), table);
  const given = word.includes("=") ? word.slice(word.indexOf("=") + 1) : undefined;
  if (given !== undefined) return { option, value: checked(option, given), next: at + 1 };
  if (option.value === undefined || option.optional) return { option, value: "", next: at + 1 };
  const value = words[at + 1];
  if (value === undefined) throw new GantryError("Usage", `--${option.name} wants a value: ${option.value}`);
  return { option, value: checked(option, value), next: at + 2 };
}

function checked(option: Option, value: string): string {
  if (option.value === undefined) return switchValue(option, value);
  if (option.choices === undefined || option.choices.includes(value)) return value;
  throw new GantryError("Usage", `--${option.name}=${value} is none of ${option.choices.join(", ")}`);
}

/** `--detach=false` takes a switch back. */
function switchValue(option: Option, value: string): string {
  if (value === "true") return "";
  if (value === "false") return "false";
  throw new GantryError("Usage", `--${option.name} takes no value but true or false`);
}

/** Options as they were taken, in order. */
export function optionValues(taken: readonly Taken[]): OptionValues {
  const of = (name: string) => taken.filter(({ option }) => option.name === name).map(({ value }) => value);
  return {
    flag: (name) => {
      const last = of(name).at(-1);
      return last !== undefined && last !== "false";
    },
    value: (name) => of(name).at(-1),
    values: of,
  };
}

/** Splits a verb's words into options and operands; after `--` everything is an operand. Throws Usage. */
export function parseWords(
  words: readonly string[],
  table: readonly Option[],
): { readonly options: OptionValues; readonly operands: readonly string[] } {
  const taken: Taken[] = [];
  const operands: string[] = [];
  for (let at = 0; at < words.length; ) {
    const word = words[at] ?? "";
    if (word === "--") {
      operands.push(...words.slice(at + 1));
      break;
    }
    if (isOption(word)) {
      const option = takeOption(words, at, table);
      taken.push(option);
      at = option.next;
    } else {
      operands.push(word);
      at += 1;
    }
  }
  refuseRepetition(taken);
  return { options: optionValues(taken), operands };
}

function refuseRepetition(taken: readonly Taken[]): void {
  const once = taken.filter(({ option }) => option.value !== undefined && !option.repeat);
  const twice = once.find(
    ({ option }, index) => once.findIndex((other) => other.option === option) !== index,
  );
  if (twice !== undefined) throw new GantryError("Usage", `--${twice.option.name} is given twice`);
}
