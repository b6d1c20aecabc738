/** Keys before they are trusted: a person looks at the fingerprint, or the command line says that nobody has to. */
import { readSync } from "node:fs";
import { GantryError } from "../base/errors.ts";
import { printable, quoted } from "../base/text.ts";
import type { ReviewedKey } from "../manager/trust-verbs.ts";
import type { Context, Option, OptionValues } from "./verb.ts";

export const REVIEW_OPTIONS: readonly Option[] = [
  { name: "skip-fingerprint-review", help: "trust the keys without asking" },
  {
    name: "fingerprint",
    value: "HEX",
    repeat: true,
    help: "trust only the key of this fingerprint, without asking",
  },
];

export type KeyFile = { readonly location: string; readonly keys: readonly ReviewedKey[] };

export type Review = {
  /** The keys to add. */
  readonly fingerprints: readonly string[];
  /** A person has looked at them, or named them. */
  readonly reviewed: boolean;
};

/** Shows the keys and settles which of them are meant. Throws Usage, NotTrusted, Cancelled for a "no". */
export function reviewKeys(context: Context, file: KeyFile, options: OptionValues): Review {
  const wanted = options.values("fingerprint").map((text) => text.replace(/[\s:]/g, "").toLowerCase());
  const keys = wanted.length === 0 ? file.keys : chosen(file, wanted);
  const tell = options.value("format") === "json" ? context.err : context.out;
  for (const key of keys) tell(keyText(key));
  const useless = keys.find(({ problem }) => problem !== undefined);
  if (useless?.problem !== undefined) {
    const message = `key ${useless.fingerprint} of ${quoted(file.location)} would vouch for nothing: ${useless.problem}`;
    throw new GantryError("NotTrusted", message);
  }
  const fingerprints = keys.map(({ fingerprint }) => fingerprint);
  if (wanted.length > 0) return { fingerprints, reviewed: true };
  if (options.flag("skip-fingerprint-review")) return { fingerprints, reviewed: false };
  ask(context, file.location);
  return { fingerprints, reviewed: true };
}

function chosen({ location, keys }: KeyFile, wanted: readonly string[]): ReviewedKey[] {
  const missing = wanted.find((text) => !keys.some(({ fingerprint }) => fingerprint === text));
  if (missing === undefined) return keys.filter(({ fingerprint }) => wanted.includes(fingerprint));
  throw new GantryError("NotTrusted", `${quoted(location)} holds no key of fingerprint ${quoted(missing)}`, {
    hint: `it holds ${keys.map(({ fingerprint }) => fingerprint).join(", ")}`,
  });
}

/** In gpg's way of writing fingerprints, which is how their owners publish them. */
function keyText({ kind, fingerprint, subkeys, userIds, algorithm }: ReviewedKey): string {
  const head = kind === "openpgp" ? "gpg key" : `${algorithm} public key`;
  return [
    `${head} fingerprint is: ${grouped(fingerprint)}\n`,
    ...subkeys.map((subkey) => `    Subkey fingerprint: ${grouped(subkey)}\n`),
    ...userIds.map((user) => `\t${printable(user)}\n`),
  ].join("");
}

function grouped(fingerprint: string): string {
  const groups = fingerprint.toUpperCase().match(/.{1,4}/g) ?? [];
  const half = Math.ceil(groups.length / 2);
  return `${groups.slice(0, half).join(" ")}  ${groups.slice(half).join(" ")}`;
}

function ask(context: Context, location: string): void {
  if (!context.stdinTerminal) {
    const message = `the key's fingerprint has to be reviewed, and there is no terminal to ask at: ${quoted(location)}`;
    throw new GantryError("Usage", message, {
      hint: "--fingerprint=HEX names the key that is meant, --skip-fingerprint-review takes any",
    });
  }
  context.err("Are you sure you want to trust this key (yes/no)?\n");
  for (;;) {
    const answer = readLine();
    if (answer === "yes") return;
    if (answer === "no" || answer === undefined)
      throw new GantryError("Cancelled", `not trusting ${quoted(location)}`);
    context.err("Please enter 'yes' or 'no'\n");
  }
}

/** A line of standard input, undefined at its end. A terminal hands over one at a time. */
function readLine(): string | undefined {
  const bytes = Buffer.alloc(1024);
  const count = readSync(0, bytes);
  return count === 0 ? undefined : bytes.toString("utf8", 0, count).trim();
}
