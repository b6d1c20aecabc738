/**
 * The files of trust.d that commands write: one for each rule, by its scope and transport, and one for each consent, so that
 * every change is one rename and nobody has to lock. What people wrote by hand is theirs.
 */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { syncDirectory, unlinkIfPresent, writeFileDurably } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { POLICY_DIRECTORY } from "../config/trust.ts";
import { digestOf } from "../image/hashing.ts";
import type { PlacedConsent, PlacedRule, Policy } from "./policy.ts";
import type { Consent, PolicyFile, Rule } from "./rule.ts";

/** Writes a rule below `root`; its scope is normalised. Throws as requireFree(). */
export async function writeRule(root: string, policy: Policy, rule: Rule): Promise<string> {
  requireFree(root, policy, rule);
  return await write(rulePath(root, rule), { version: 1, rules: [rule], consents: [] });
}

/** Throws BadConfig when a file written by hand has a rule for the same names. */
export function requireFree(root: string, policy: Policy, rule: Rule): void {
  const path = rulePath(root, rule);
  const other = policy.rules.find(
    (one) => isSame(one, rule) && dirname(one.file) === dirname(path) && one.file !== path,
  );
  if (other === undefined) return;
  throw new GantryError("BadConfig", `${quoted(other.file)} has a rule for ${quoted(rule.scope)} already`, {
    hint: "edit it there, or remove it first",
  });
}

/** Writes a consent below `root`; its name is normalised. */
export async function writeConsent(root: string, consent: Consent): Promise<string> {
  return await write(consentPath(root, consent), { version: 1, rules: [], consents: [consent] });
}

/**
 * Removes what stands about exactly this scope. Returns the paths; none when nothing did. Throws BadConfig for what a
 * vendor, or a hand, has written.
 */
export async function removeScope(root: string, policy: Policy, scope: string): Promise<string[]> {
  const rules = policy.rules.filter((rule) => rule.scope === scope);
  const consents = policy.consents.filter(({ name }) => name === scope);
  const foreign =
    rules.find((rule) => rule.file !== rulePath(root, rule)) ??
    consents.find((consent) => consent.file !== consentPath(root, consent));
  if (foreign !== undefined) throw notOurs(root, foreign);
  const paths = [...rules, ...consents].map(({ file }) => file);
  for (const path of paths) await unlinkIfPresent(path);
  if (paths.length > 0) await syncDirectory(join(root, POLICY_DIRECTORY));
  return paths;
}

function isSame(one: Rule, other: Rule): boolean {
  return one.scope === other.scope && one.transport === other.transport;
}

function notOurs(root: string, { file }: PlacedRule | PlacedConsent): GantryError {
  const byHand = dirname(file) === join(root, POLICY_DIRECTORY);
  return new GantryError("BadConfig", `${quoted(file)} was not written by a command`, {
    hint: byHand
      ? "edit or remove it there"
      : `an empty file of its name in ${join(root, POLICY_DIRECTORY)} masks it`,
  });
}

function rulePath(root: string, { scope, transport }: Rule): string {
  return join(
    root,
    POLICY_DIRECTORY,
    `${fileName(scope)}${transport === undefined ? "" : `.${transport}`}.json`,
  );
}

function consentPath(root: string, { name, digest, transport }: Consent): string {
  const about = digestOf(Buffer.from(`${digest} ${transport ?? ""}`)).slice("sha256:".length, 23);
  return join(root, POLICY_DIRECTORY, `${fileName(name)}.consent-${about}.json`);
}

/** A name of a file has 255 bytes at most; of a longer scope its digest is one. */
function fileName(scope: string): string {
  const name = encodeURIComponent(scope).replaceAll("*", "%2A");
  return name.length <= 200 ? name : digestOf(Buffer.from(scope)).replace(":", "-");
}

async function write(path: string, file: PolicyFile): Promise<string> {
  const made = await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  if (made !== undefined) await syncDirectory(dirname(made));
  await writeFileDurably(path, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o644 });
  return path;
}
