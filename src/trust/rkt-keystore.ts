/**
 * rkt's keystores as keys of ours: the vendor's below /usr/lib/rkt and the administrator's below /etc/rkt, an empty file in
 * the latter masking a key of the former. rkt took the first key of a file and no other, and so does this.
 */
import type { Found, Roots } from "../config/files.ts";
import { readConfiguration } from "../config/files.ts";
import { KEY_LIMIT, type KeyEntry, type KeyPlace, listKeys } from "./keystore.ts";
import { describeKeys, type Verifier } from "./verifier.ts";

export const RKT_DIRECTORIES = ["/etc/rkt", "/usr/lib/rkt"] as const;

export type ImportedKey = { readonly place: KeyPlace; readonly name: string; readonly content: string };

export type RktKeys = { readonly keys: readonly ImportedKey[]; readonly notes: readonly string[] };

/** Throws BadConfig for files that are no keys' by their names. */
export async function readRktKeys(roots: Roots, verifier: Verifier): Promise<RktKeys> {
  const entries = (await listKeys(roots)).filter(({ masked, place }) => !masked && place.kind !== "named");
  const files = await Promise.all(
    entries.map(async ({ path }) => ({ path, content: await readConfiguration(path, KEY_LIMIT) })),
  );
  const described = files.length === 0 ? [] : await describeKeys(verifier, files);
  const keys: ImportedKey[] = [];
  const notes: string[] = [];
  for (const [at, entry] of entries.entries()) {
    const found = described[at] ?? [];
    const [first, ...others] = typeof found === "string" ? [] : found;
    const problem = typeof found === "string" ? found : problemOf(entry, first?.fingerprint);
    if (first === undefined || problem !== undefined)
      notes.push(`${entry.path} is left out: ${problem ?? "no key"}`);
    else {
      if (others.length > 0) notes.push(`${entry.path}: only its first key is taken, as rkt did`);
      keys.push({ place: entry.place, name: first.fingerprint, content: first.text });
    }
  }
  return { keys, notes };
}

function problemOf(
  { name }: Pick<KeyEntry & Found, "name">,
  fingerprint: string | undefined,
): string | undefined {
  return name === fingerprint ? undefined : `fingerprint mismatch: "${name}":"${fingerprint}"`;
}
