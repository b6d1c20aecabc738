/** `gantry trust KEY…` and `gantry trust add KEY…`: keys to the keystore, each after its review. */
import { readFileSync, statSync } from "node:fs";
import { errnoText, GantryError } from "../base/errors.ts";
import { printable, quoted } from "../base/text.ts";
import { openTrust } from "../manager/open-trust.ts";
import type { AddedKey, AddedKeys, KeyPlace, KeyScope, TrustVerbs } from "../manager/trust-verbs.ts";
import { REVIEW_OPTIONS, reviewKeys } from "./key-review.ts";
import { json } from "./render.ts";
import { affectedText } from "./trust-affected.ts";
import { type Context, FORMAT, type Option, type OptionValues } from "./verb.ts";

export const SCOPE_OPTIONS: readonly Option[] = [
  { name: "prefix", value: "PREFIX", help: "names that are meant: this one and those below it" },
  { name: "root", help: "every name" },
  { name: "named", value: "NAME", help: "only rules that name the key so" },
];

export const KEY_OPTIONS: readonly Option[] = [
  ...SCOPE_OPTIONS,
  ...REVIEW_OPTIONS,
  { name: "insecure-allow-http", help: "let keys come over http" },
  { ...FORMAT, help: "text for people (default), json for programs" },
];

/** As much as the keystore takes. */
const LIMIT = 1024 * 1024;

/** Throws Usage, NotTrusted, BadConfig, FetchFailed, Cancelled. */
export async function addKeys(
  context: Context,
  options: OptionValues,
  locations: readonly string[],
): Promise<number> {
  const scope = keyScope(options);
  await using trust = await openTrust(context);
  const all: AddedKeys[] = [];
  for (const source of await keySources(context, trust, { options, scope, locations })) {
    const added = await addText(trust, context, { options, scope, source });
    all.push(added);
    tellNote(context, added);
    if (options.value("format") === "json") continue;
    for (const key of added.keys) context.out(`${addedText(key, scope)}\n`);
    context.out(affectedText(added.affected));
  }
  if (options.value("format") === "json") context.out(json(all));
  return 0;
}

export function tellNote(context: Context, { note }: Pick<AddedKeys, "note">): void {
  if (note !== undefined) context.err(`gantry: ${printable(note)}\n`);
}

/** The names that the options mean, which must be told. Throws Usage. */
export function keyScope(options: OptionValues): KeyScope {
  const scope = givenScope(options);
  if (scope !== undefined) return scope;
  throw new GantryError("Usage", "aborting due to implicit unbounded trust (root domain)", {
    hint: "name a prefix: --prefix=example.com/foo; trust for every name (not recommended) takes --root",
  });
}

/** The same, undefined when nothing is told. Throws Usage. */
export function givenScope(options: OptionValues): KeyScope | undefined {
  const [prefix, named] = [options.value("prefix"), options.value("named")];
  if (prefix !== undefined && options.flag("root"))
    throw new GantryError("Usage", "--root and --prefix usage mutually exclusive");
  if (named !== undefined && (prefix !== undefined || options.flag("root")))
    throw new GantryError("Usage", "--named excludes --prefix and --root");
  if (prefix?.includes("://"))
    throw new GantryError("Usage", "--prefix must not contain a URL scheme, omit https://");
  if (prefix === "") throw new GantryError("Usage", "--prefix wants a name such as example.com/foo");
  if (options.flag("root")) return { root: true };
  if (named !== undefined) return { named };
  return prefix === undefined ? undefined : { prefix };
}

type Source = { readonly location: string; readonly text: string; readonly remote: boolean };
type Wanted = {
  readonly options: OptionValues;
  readonly scope: KeyScope;
  readonly locations: readonly string[];
};

/** The texts of all keys; without a location those that the prefix's own pages name. */
async function keySources(
  context: Context,
  trust: TrustVerbs,
  { options, scope, locations }: Wanted,
): Promise<Source[]> {
  const insecureHttp = options.flag("insecure-allow-http");
  const prefix = "prefix" in scope ? scope.prefix : "";
  const sources: Source[] = [];
  for (const location of locations) {
    if (isUrl(location, insecureHttp))
      sources.push(...(await fetched(context, trust, { prefix, insecureHttp, urls: [location] })));
    else sources.push({ location, text: readKeyFile(location), remote: false });
  }
  if (locations.length > 0) return sources;
  if (prefix === "") throw new GantryError("Usage", "without a KEY, keys are looked for at --prefix=PREFIX");
  return await fetched(context, trust, { prefix, insecureHttp });
}

async function fetched(context: Context, trust: TrustVerbs, place: KeyPlace): Promise<Source[]> {
  const { keys, notes } = await trust.fetchKeys(place);
  for (const note of notes) tellNote(context, { note });
  return keys.map(({ url, text }) => ({ location: url, text, remote: true }));
}

/** Throws Usage for a URL that will not do. */
function isUrl(location: string, http: boolean): boolean {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//.exec(location)?.[1];
  if (scheme === undefined) return false;
  if (scheme === "http" && !http)
    throw new GantryError("Usage", "--insecure-allow-http required for http URLs");
  if (scheme === "http" || scheme === "https") return true;
  throw new GantryError("Usage", "only local files and http or https URLs supported");
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
    throw new GantryError("Usage", `key ${quoted(location)} cannot be read: ${errnoText(cause)}`, {
      cause,
    });
  }
}

type Text = { readonly options: OptionValues; readonly scope: KeyScope; readonly source: Source };

async function addText(
  trust: TrustVerbs,
  context: Context,
  { options, scope, source: { location, text, remote } }: Text,
): Promise<AddedKeys> {
  context.err(`${"prefix" in scope ? `prefix: ${quoted(scope.prefix)}\n` : ""}key: ${quoted(location)}\n`);
  const keys = await trust.review(text);
  const { fingerprints, reviewed } = reviewKeys(context, { location, keys }, options);
  const after = reviewed ? "after" : "without";
  context.err(`Trusting ${quoted(location)} for ${namesText(scope)} ${after} fingerprint review.\n`);
  return await trust.addKeys({ text, scope, fingerprints, ...(remote ? { source: location } : {}) });
}

function namesText(scope: KeyScope): string {
  if ("root" in scope) return "every name";
  return "prefix" in scope ? `prefix ${quoted(scope.prefix)}` : `rules that name ${quoted(scope.named)}`;
}

function addedText({ path }: AddedKey, scope: KeyScope): string {
  if ("root" in scope) return `Added root key at ${quoted(path)}`;
  if ("named" in scope) return `Added key ${quoted(scope.named)} for rules at ${quoted(path)}`;
  return `Added key for prefix ${quoted(scope.prefix)} at ${quoted(path)}`;
}
