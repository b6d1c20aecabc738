/** Changes of what this host trusts: each is one file of /etc/gantry, and an entry in the journal. */
import type * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { logEvent } from "../journal/journal.ts";
import { addKey, type KeyEntry, type KeyPlace, listKeys, namedKeys, removeKey } from "../trust/keystore.ts";
import { readPolicy } from "../trust/policy.ts";
import { removeScope, writeConsent, writeRule } from "../trust/policy-files.ts";
import { Consent, Rule } from "../trust/rule.ts";
import { isReference, normalScope, registryScope, SCOPE_HINT } from "../trust/scope.ts";
import { describeKeys, type KeyDescription } from "../trust/verifier.ts";
import type { Local } from "./local.ts";
import { keysNamedBy, requirementTexts } from "./rule-text.ts";
import { affectedBy } from "./trust-affected.ts";
import { ADMINISTRATORS, trustOf } from "./trust-engine.ts";
import { describeEntries, prefixOf } from "./trust-list.ts";
import type {
  AddedKey,
  AddedKeys,
  KeyScope,
  KeyText,
  NewConsent,
  Removed,
  ReviewedKey,
  Ruled,
} from "./trust-verbs.ts";

/** See TrustVerbs.review. */
export async function reviewKeys(local: Local, text: string): Promise<ReviewedKey[]> {
  return (await keysOf(local, text)).map(({ text: _, ...key }) => key);
}

/** See TrustVerbs.addKeys. */
export async function addKeys(
  local: Local,
  { text, scope, fingerprints, source }: KeyText,
): Promise<AddedKeys> {
  const target = targetOf(scope);
  const wanted = chooseKeys(await keysOf(local, text), fingerprints);
  if (target.name !== undefined && wanted.length !== 1)
    throw new GantryError("Usage", `a name is one key's, and ${wanted.length} are meant`);
  const keys: AddedKey[] = [];
  for (const key of wanted) {
    keys.push(await addOne(target, key));
    await logAddition(target.place, key, source);
  }
  // Where a name has keys, consents to its digests count no more.
  const prefix = prefixOf(target.place);
  return { keys, affected: await affectedBy(local, [prefix ?? "*"]), ...noteOn(prefix) };
}

function chooseKeys(keys: readonly KeyDescription[], fingerprints: readonly string[]): KeyDescription[] {
  return fingerprints.map((fingerprint) => {
    const key = keys.find((one) => one.fingerprint === fingerprint);
    if (key !== undefined) return key;
    throw new GantryError("NotTrusted", `the text holds no key of fingerprint ${quoted(fingerprint)}`);
  });
}

/** The keys of a text whose characters are its bytes, read by the verifier. Throws BadConfig. */
async function keysOf(local: Local, text: string): Promise<readonly KeyDescription[]> {
  const file = { path: "key", content: Buffer.from(text, "latin1") };
  const [found = []] = await describeKeys(trustOf(local).verifier, [file]);
  if (typeof found !== "string") return found;
  throw new GantryError(
    "BadConfig",
    `the key file ${found.startsWith("holds") ? found : `is none: ${found}`}`,
  );
}

/** `name` only for a key that rules shall name. */
type Target = { readonly place: KeyPlace; readonly name?: string };

const NAMED = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/;

function targetOf(scope: KeyScope): Target {
  if ("root" in scope) return { place: { kind: "root" } };
  if ("prefix" in scope) return { place: { kind: "prefix", prefix: checkPrefix(scope.prefix) } };
  if (NAMED.test(scope.named)) return { place: { kind: "named" }, name: scope.named };
  throw new GantryError("Usage", `${quoted(scope.named)} cannot be the name of a key's file`);
}

/** The keystore knows plain names only: its directories are their segments. */
function checkPrefix(prefix: string): string {
  const normal = normalScope(prefix, undefined);
  if (normal !== undefined && !normal.includes("*") && !isReference(normal)) return normal;
  const bare = prefix.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  throw new GantryError("Usage", `${quoted(prefix)} is no prefix of names`, {
    hint:
      bare === prefix
        ? "a prefix covers all that lies below it: write example.com/foo, not example.com/foo/*"
        : `leave out the tag: ${bare}`,
  });
}

/** A host in a local network has no dot, but a word with digits behind it is more often meant as Docker's short form with a tag. */
const TAG_LIKE = /^(?!localhost:)[^/.:]+:[0-9]+$/;

/** A name without a host may be an ACI's, but is more often meant as Docker's short form, which is nobody's name here. */
function noteOn(name: string | undefined): Pick<Ruled, "note"> {
  if (name !== undefined && TAG_LIKE.test(name))
    return {
      note: `${quoted(name)} is taken as a host and its port; Docker's image is docker.io/library/${name}`,
    };
  const whole = name === undefined || name === "*" ? name : registryScope(name);
  return whole === name ? {} : { note: `images of Docker's registry are named ${whole} here` };
}

async function addOne(
  { place, name }: Target,
  { fingerprint, kind, text, userIds }: KeyDescription,
): Promise<AddedKey> {
  const file = name ?? (kind === "openpgp" ? fingerprint : `${fingerprint}.pem`);
  const path = await addKey(ADMINISTRATORS, { place, name: file, content: text });
  const prefix = prefixOf(place);
  return { fingerprint, userIds, path, ...(prefix === undefined ? {} : { prefix }) };
}

async function logAddition(
  place: KeyPlace,
  { fingerprint }: KeyDescription,
  source: string | undefined,
): Promise<void> {
  const from = source === undefined ? "" : `, from ${source}`;
  await logEvent("trust-key-added", `Trusted key ${fingerprint} for ${namesOf(place)}${from}`, {
    ...{ GANTRY_KEY: fingerprint, GANTRY_PREFIX: prefixOf(place) ?? "" },
    ...(source === undefined ? {} : { GANTRY_SOURCE: source }),
  });
}

function namesOf(place: KeyPlace): string {
  if (place.kind === "root") return "every name";
  return place.kind === "prefix" ? `names below ${place.prefix}` : "the rules that name it";
}

/** See TrustVerbs.addRule. */
export async function addRule(local: Local, given: unknown): Promise<Ruled> {
  const rule = checked(Rule, given, "the rule");
  const scope = normalScope(rule.scope, rule.transport);
  if (scope === undefined)
    throw new GantryError("Usage", `${quoted(rule.scope)} is no scope of a rule`, { hint: SCOPE_HINT });
  const { roots } = trustOf(local);
  await namedKeys(roots, keysNamedBy(rule), `the rule for ${scope}`);
  const path = await writeRule(ADMINISTRATORS, await readPolicy(roots), { ...rule, scope });
  const text = requirementTexts(rule).join(" and ");
  await logEvent("trust-rule-added", `Rule for images of ${scope}: ${text}`, { GANTRY_PREFIX: scope });
  const note = rule.transport === "appc" ? {} : noteOn(scope);
  return { path, affected: await affectedBy(local, [scope]), ...note };
}

/** See TrustVerbs.addConsent. */
export async function addConsent(local: Local, { name, digest, uid }: NewConsent): Promise<Ruled> {
  const given = { name: checkPrefix(name), digest, time: Date.now() * 1000, uid: uid ?? local.uid };
  const consent = checked(Consent, given, "the consent");
  const path = await writeConsent(ADMINISTRATORS, consent);
  const fields = {
    GANTRY_PREFIX: consent.name,
    GANTRY_IMAGE_DIGEST: digest,
    GANTRY_UID: String(consent.uid),
  };
  await logEvent("trust-rule-added", `Consent to image ${consent.name} of digest ${digest}`, fields);
  return { path, affected: { images: [], pods: [] }, ...noteOn(consent.name) };
}

function checked<T>(schema: z.ZodType<T>, given: unknown, name: string): T {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new GantryError(
    "Usage",
    `${name} is wrong at ${quoted(issue?.path.join(".") ?? "")}: ${issue?.message}`,
  );
}

/** The beginning of a fingerprint that is long enough to mean one. */
const FINGERPRINT = /^[0-9a-f]{8,64}$/;

/** See TrustVerbs.remove. */
export async function remove(local: Local, what: string, scope: KeyScope | undefined): Promise<Removed> {
  const digits = what.replace(/[\s:]/g, "").toLowerCase();
  if (FINGERPRINT.test(digits)) {
    const keys = await keysNamed(local, digits, scope);
    if (keys.length > 0) return await removeKeys(local, keys);
  }
  const normal = normalScope(what, undefined);
  const removed =
    normal === undefined || scope !== undefined
      ? []
      : await removeScope(ADMINISTRATORS, await readPolicy(trustOf(local).roots), normal);
  if (normal === undefined || removed.length === 0) {
    throw new GantryError("NoSuchKey", `nothing is trusted by ${quoted(what)}: no key, rule or consent`, {
      hint: "gantry trust list tells which there are",
    });
  }
  await logEvent("trust-rule-removed", `Removed what was ruled for ${normal}`, { GANTRY_PREFIX: normal });
  return { removed, affected: await affectedBy(local, [normal]) };
}

async function keysNamed(local: Local, digits: string, scope: KeyScope | undefined): Promise<KeyEntry[]> {
  const entries = (await listKeys(trustOf(local).roots)).filter(
    (key) => !key.masked && (scope === undefined || isAt(key, targetOf(scope))),
  );
  const called = await fingerprintsIn(local, entries);
  const found = entries.filter((key) => called(key).some((name) => name.startsWith(digits)));
  const names = [...new Set(found.flatMap(called).filter((name) => name.startsWith(digits)))];
  if (names.length <= 1) return found;
  throw new GantryError("AmbiguousName", `${quoted(digits)} is the beginning of ${names.length} keys`, {
    hint: `give more digits of ${names.join(" or ")}`,
  });
}

function isAt(key: KeyEntry, { place, name = key.name }: Target): boolean {
  return key.name === name && JSON.stringify(key.place) === JSON.stringify(place);
}

/** Of a key that rules name, the file has to be read for them: its name says nothing. */
async function fingerprintsIn(
  local: Local,
  entries: readonly KeyEntry[],
): Promise<(key: KeyEntry) => readonly string[]> {
  const named = entries.filter(({ place }) => place.kind === "named");
  const rows = await describeEntries(local, named);
  return ({ place, name, path }) =>
    place.kind === "named"
      ? rows.flatMap((row) => (row.path === path && row.fingerprint !== undefined ? [row.fingerprint] : []))
      : [name.replace(/\.pem$/, "")];
}

async function removeKeys(local: Local, keys: readonly KeyEntry[]): Promise<Removed> {
  const removed: string[] = [];
  for (const key of keys) {
    const path = await removeKey(trustOf(local).roots, key);
    if (path === undefined) continue;
    removed.push(path);
    const fields = { GANTRY_KEY: key.name, GANTRY_PREFIX: prefixOf(key.place) ?? "" };
    await logEvent(
      "trust-key-removed",
      `Key ${key.name} is trusted no more for ${namesOf(key.place)}`,
      fields,
    );
  }
  return {
    removed,
    affected: await affectedBy(
      local,
      keys.map(({ place }) => prefixOf(place) ?? "*"),
    ),
  };
}
