/** `gantry trust KEY…` and `gantry trust add KEY…`: keys to the keystore, each after its review. */
import { readFileSync, statSync } from "node:fs";
import { errnoOf, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { openTrust } from "../manager/open-trust.ts";
import type { AddedKey, KeyScope, TrustVerbs } from "../manager/trust-verbs.ts";
import { REVIEW_OPTIONS, reviewKeys } from "./key-review.ts";
import { json } from "./render.ts";
import { type Context, FORMAT, type Option, type OptionValues } from "./verb.ts";

export const SCOPE_OPTIONS: readonly Option[] = [
  { name: "prefix", value: "PREFIX", help: "names that are meant: this one and those below it" },
  { name: "root", help: "every name" },
];

export const KEY_OPTIONS: readonly Option[] = [
  ...SCOPE_OPTIONS,
  ...REVIEW_OPTIONS,
  { ...FORMAT, help: "text for people (default), json for programs" },
];

/** As much as the keystore takes. */
const LIMIT = 1024 * 1024;

/** Throws Usage, NotTrusted, BadConfig, Cancelled. */
export async function addKeys(
  context: Context,
  options: OptionValues,
  locations: readonly string[],
): Promise<number> {
  const scope = keyScope(options);
  await using trust = await openTrust(context);
  const added: AddedKey[] = [];
  for (const location of locations)
    added.push(...(await addFile(trust, context, { options, scope, location })));
  if (options.value("format") === "json") context.out(json(added));
  return 0;
}

/** The names meant by --prefix and --root, one of which must be given. Throws Usage. */
export function keyScope(options: OptionValues): KeyScope {
  const scope = givenScope(options);
  if (scope !== undefined) return scope;
  throw new GantryError("Usage", "aborting due to implicit unbounded trust (root domain)", {
    hint: "name a prefix: --prefix=example.com/foo; trust for every name (not recommended) takes --root",
  });
}

/** The same, undefined when there is none of them. Throws Usage. */
export function givenScope(options: OptionValues): KeyScope | undefined {
  const prefix = options.value("prefix");
  if (prefix !== undefined && options.flag("root"))
    throw new GantryError("Usage", "--root and --prefix usage mutually exclusive");
  if (prefix?.includes("://"))
    throw new GantryError("Usage", "--prefix must not contain a URL scheme, omit https://");
  if (prefix === "") throw new GantryError("Usage", "--prefix wants a name such as example.com/foo");
  if (options.flag("root")) return { root: true };
  return prefix === undefined ? undefined : { prefix };
}

type File = { readonly options: OptionValues; readonly scope: KeyScope; readonly location: string };

async function addFile(
  trust: TrustVerbs,
  context: Context,
  { options, scope, location }: File,
): Promise<readonly AddedKey[]> {
  const text = readKeyFile(location);
  context.err(`${"prefix" in scope ? `prefix: ${quoted(scope.prefix)}\n` : ""}key: ${quoted(location)}\n`);
  const keys = await trust.review(text);
  const { fingerprints, reviewed } = reviewKeys(context, { location, keys }, options);
  const names = "prefix" in scope ? `prefix ${quoted(scope.prefix)}` : "every name";
  const after = reviewed ? "after" : "without";
  context.err(`Trusting ${quoted(location)} for ${names} ${after} fingerprint review.\n`);
  const added = await trust.addKeys({ text, scope, fingerprints });
  if (options.value("format") !== "json") for (const key of added) context.out(`${addedText(key, scope)}\n`);
  return added;
}

function addedText({ path }: AddedKey, scope: KeyScope): string {
  return "prefix" in scope
    ? `Added key for prefix ${quoted(scope.prefix)} at ${quoted(path)}`
    : `Added root key at ${quoted(path)}`;
}

/** Binary keys stay what they are: one byte, one character. Throws Usage, BadConfig. */
function readKeyFile(location: string): string {
  try {
    const { size } = statSync(location);
    if (size <= LIMIT) return readFileSync(location, "latin1");
    throw new GantryError(
      "BadConfig",
      `${quoted(location)} has ${size} bytes, the limit of a key file is ${LIMIT}`,
    );
  } catch (cause) {
    if (cause instanceof GantryError) throw cause;
    throw new GantryError("Usage", `key ${quoted(location)} cannot be read: ${errnoOf(cause) ?? "?"}`, {
      cause,
    });
  }
}
