/** Text for the answer: what a library or an attacker says, made fit to be shown and short. */
import { printable } from "../base/text.ts";

const LONGEST = 300;

export function sentence(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const cut = printable(text).slice(0, LONGEST);
  return cut === "" ? "unknown" : cut;
}
