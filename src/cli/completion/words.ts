/** What shells are told of the verbs: the same tables that the help is made of. */
import { GLOBAL_OPTIONS } from "../options.ts";
import { optionsOf } from "../pod-options.ts";
import type { Option, Verb } from "../verb.ts";
import { VERBS } from "../verbs.ts";

export type Operand = "pod" | "image" | "verb" | "none";

export type CompletedVerb = {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly Option[];
  readonly operand: Operand;
};

/** Every verb, sorted by name. */
export async function completedVerbs(): Promise<readonly CompletedVerb[]> {
  const loaded = await Promise.all(Object.values(VERBS).map((load) => load()));
  return loaded.map(completedVerb).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function completedVerb(verb: Verb): CompletedVerb {
  const { name, summary, synopsis } = verb;
  return { name, summary, options: [...optionsOf(verb), ...GLOBAL_OPTIONS], operand: operandOf(synopsis) };
}

function operandOf(synopsis: string): Operand {
  if (/(?:^| )IMAGE\b/.test(synopsis)) return "image";
  if (/(?:^| )POD\b/.test(synopsis)) return "pod";
  return synopsis === "[VERB]" ? "verb" : "none";
}

/** First words of verbs of two, such as `image`. */
export function familiesOf(verbs: readonly CompletedVerb[]): readonly string[] {
  const heads = verbs.flatMap(({ name }) => (name.includes(" ") ? [name.replace(/ .*/, "")] : []));
  return [...new Set(heads)];
}

/** Whether a family's first word is a verb by itself, too, such as `trust`. */
export function isBareVerb(verbs: readonly CompletedVerb[], head: string): boolean {
  return verbs.some(({ name }) => name === head);
}

/** The words that may follow `head`: the first words of all verbs, or the second ones of a family. */
export function nextWords(verbs: readonly CompletedVerb[], head = ""): readonly string[] {
  const prefix = head === "" ? "" : `${head} `;
  const rest = verbs
    .filter(({ name }) => name.startsWith(prefix) && name !== head)
    .map(({ name }) => name.slice(prefix.length));
  return [...new Set(rest.map((name) => name.replace(/ .*/, "")))];
}

/** Whether an option's value is a path. */
export function isPath({ value = "" }: Option): boolean {
  return /^(?:FILE|DIR|PATH)$/.test(value);
}
