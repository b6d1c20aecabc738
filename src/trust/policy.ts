/** The trust policy: the files of trust.d, and which of their rules is about a name (docs/trust.md). */
import { basename, dirname } from "node:path";
import type * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { badConfig, findOwnFiles, type Roots, readConfiguration } from "../config/files.ts";
import { POLICY_DIRECTORY } from "../config/trust.ts";
import { type Consent, PolicyFile, type Rule } from "./rule.ts";
import { type Named, normalScope, SCOPE_HINT, scopeFit } from "./scope.ts";

/** A rule with the file it stands in, and its scope normalised. */
export type PlacedRule = Rule & { readonly file: string };
export type PlacedConsent = Consent & { readonly file: string };

export type Policy = {
  /** Files that go first in front. */
  readonly rules: readonly PlacedRule[];
  readonly consents: readonly PlacedConsent[];
};

const FILE_LIMIT = 1024 * 1024;

/** Throws BadConfig, naming file and key. */
export async function readPolicy(roots: Roots): Promise<Policy> {
  const files = await findOwnFiles(roots, POLICY_DIRECTORY, (name) => name.endsWith(".json"));
  const policy = { rules: [] as PlacedRule[], consents: [] as PlacedConsent[] };
  for (const { path, masked } of files) {
    if (masked) continue;
    const { rules, consents } = parsePolicy(await readConfiguration(path, FILE_LIMIT), path);
    policy.rules.push(...rules.map((rule, at) => placeRule(rule, path, at)));
    policy.consents.push(...consents.map((consent) => ({ ...consent, file: path })));
  }
  const order = (file: string) => roots.indexOf(dirname(dirname(file)));
  policy.rules.sort((a, b) => order(a.file) - order(b.file));
  refuseDoubles(policy.rules);
  return policy;
}

/** The rule that decides about a name: of the most specific scope, then one that tells the transport, then the first. */
export function ruleFor(policy: Policy, named: Named): PlacedRule | undefined {
  let best: { readonly rule: PlacedRule; readonly fit: number } | undefined;
  for (const rule of policy.rules) {
    if (rule.transport !== undefined && rule.transport !== named.transport) continue;
    const fit = scopeFit(rule.scope, named);
    if (fit === undefined) continue;
    const tells = rule.transport !== undefined && best?.rule.transport === undefined;
    if (best === undefined || fit > best.fit || (fit === best.fit && tells)) best = { rule, fit };
  }
  return best?.rule;
}

/** The operator's consent to this digest of this name. */
export function consentFor(policy: Policy, named: Named, digest: string): PlacedConsent | undefined {
  return policy.consents.find(
    (consent) =>
      consent.digest === digest &&
      consent.name === named.name &&
      (consent.transport === undefined || consent.transport === named.transport),
  );
}

/** Reads one file's text. Throws BadConfig. */
export function parsePolicy(bytes: Buffer, path: string): PolicyFile {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString());
  } catch (cause) {
    throw badConfig(path, `is not JSON: ${(cause as Error).message}`, cause);
  }
  const parsed = PolicyFile.safeParse(document);
  if (parsed.success) return parsed.data;
  throw badConfig(path, issueText(parsed.error), parsed.error);
}

/** The first issue, as `rules.0.scope: …`; a union's own issue says less than that of its most fitting member. */
function issueText(error: z.ZodError): string {
  const [issue] = error.issues;
  const inner = issue?.code === "invalid_union" ? issue.errors.flat() : [];
  const deepest = inner.sort((a, b) => b.path.length - a.path.length)[0];
  const path = [...(issue?.path ?? []), ...(deepest?.path ?? [])].join(".");
  return `${path === "" ? "" : `has a wrong ${quoted(path)}: `}${deepest?.message ?? issue?.message ?? "is wrong"}`;
}

function placeRule(rule: Rule, file: string, at: number): PlacedRule {
  const scope = normalScope(rule.scope, rule.transport);
  if (scope !== undefined) return { ...rule, scope, file };
  const message = `${quoted(file)} has a wrong "rules.${at}.scope": ${quoted(rule.scope)} is no scope`;
  throw new GantryError("BadConfig", message, {
    hint: SCOPE_HINT,
  });
}

/** Of two rules for the same names in one directory nobody could say which was meant. */
function refuseDoubles(rules: readonly PlacedRule[]): void {
  const seen = new Map<string, string>();
  for (const { scope, transport, file } of rules) {
    const key = `${dirname(file)} ${transport ?? ""} ${scope}`;
    const other = seen.get(key);
    if (other !== undefined) {
      const where = other === file ? "twice" : `and so has ${quoted(basename(other))}`;
      throw badConfig(file, `has a rule for scope ${quoted(scope)} ${where}`);
    }
    seen.set(key, file);
  }
}
