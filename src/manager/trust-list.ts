/** What this host trusts, as it is written down. */
import { readFile } from "node:fs/promises";
import { type KeyEntry, type KeyPlace, listKeys } from "../trust/keystore.ts";
import { readPolicy } from "../trust/policy.ts";
import { describeKeys, type KeyDescription } from "../trust/verifier.ts";
import type { Local } from "./local.ts";
import { trustOf } from "./trust-engine.ts";
import type { TrustedKey, TrustList } from "./trust-verbs.ts";

/** See TrustVerbs.list. */
export async function listTrust(local: Local): Promise<TrustList> {
  const { roots } = trustOf(local);
  const [keys, policy] = await Promise.all([listKeys(roots), readPolicy(roots)]);
  return { keys: await describeEntries(local, keys), rules: policy.rules, consents: policy.consents };
}

/** The keys as the verifier reads them; one that it cannot read is told with the reason. */
export async function describeEntries(local: Local, entries: readonly KeyEntry[]): Promise<TrustedKey[]> {
  const trusted = entries.filter(({ masked }) => !masked);
  const files = await Promise.all(trusted.map(async ({ path }) => ({ path, content: await readFile(path) })));
  const found = files.length === 0 ? [] : await describeKeys(trustOf(local).verifier, files);
  return entries.flatMap((entry) => {
    const described = entry.masked ? [] : (found[trusted.indexOf(entry)] ?? []);
    return describeEntry(entry, described);
  });
}

/** `*` for every name, undefined for those of the rules that name the key. */
export function prefixOf(place: KeyPlace): string | undefined {
  if (place.kind === "root") return "*";
  return place.kind === "prefix" ? place.prefix : undefined;
}

/** A file of several keys is a row for each; the keystore's own names vouch for the first one only. */
function describeEntry(entry: KeyEntry, described: readonly KeyDescription[] | string): TrustedKey[] {
  const { path, name, masked, place } = entry;
  const prefix = prefixOf(place);
  const file = { path, name, masked, ...(prefix === undefined ? {} : { prefix }) };
  if (typeof described === "string") return [{ ...file, problem: described }];
  if (described.length === 0) return [file];
  return described.map(({ text: _, ...key }) => ({ ...file, ...key }));
}
