/** What option values are made of: pairs, parameters, numbers, files. All throw Usage with the option and the text. */
import { readFileSync } from "node:fs";
import { errnoText, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";

/** `NAME=VALUE` */
export function pair(option: string, text: string): { name: string; value: string } {
  const at = text.indexOf("=");
  if (at < 1) throw new GantryError("Usage", `--${option} ${quoted(text)} must be specified as NAME=VALUE`);
  return { name: text.slice(0, at), value: text.slice(at + 1) };
}

/** `KEY=VALUE` words, each key once. */
export function parametersOf(
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

export function invalid(option: string, text: string, why: string): GantryError {
  return new GantryError("Usage", `invalid value in --${option} flag ${quoted(text)}: ${why}`);
}

export function boolean(option: string, text: string, value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw invalid(option, text, `${quoted(value)} is neither true nor false`);
}

export function integer(option: string, text: string, value: string): number {
  if (/^\d{1,10}$/.test(value)) return Number(value);
  throw invalid(option, text, `${quoted(value)} is not a number`);
}

/** The text of a file that an option, or an operand, names. Throws Usage. */
export function readText(file: string, option?: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const where = option === undefined ? "" : `--${option}: `;
    const text = `${where}${quoted(file)} cannot be read: ${errnoText(cause)}`;
    throw new GantryError("Usage", text, { cause });
  }
}
