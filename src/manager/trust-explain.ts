/** Why an image may run or not, by the keys and rules of now, with every step on the way there. */
import { GantryError } from "../base/errors.ts";
import type { ImageRecord } from "../image/record.ts";
import { signatureBlob } from "../image/signature.ts";
import type { Transport, Verdict } from "../image/verdict.ts";
import { readRecord } from "../store/images.ts";
import { podsUsing } from "../store/uses.ts";
import type { CheckedVerdict } from "../trust/examination.ts";
import { explain, type Findings } from "../trust/judge.ts";
import { type KeyEntry, listKeys } from "../trust/keystore.ts";
import { type PlacedRule, type Policy, readPolicy, ruleFor } from "../trust/policy.ts";
import { covers, type Named, normalName, scopeFit } from "../trust/scope.ts";
import { findImage } from "./images.ts";
import type { Local } from "./local.ts";
import { keysNamedBy, requirementTexts } from "./rule-text.ts";
import { judgeAgain, storedBlob, trustOf } from "./trust-engine.ts";
import { describeEntries, prefixOf } from "./trust-list.ts";
import type { ExplainedKey, ExplainedRule, ExplainedSignature, Explanation } from "./trust-verbs.ts";

/** See TrustVerbs.explain. */
export async function explainImage(local: Local, argument: string): Promise<Explanation> {
  const record = await findImage(local, argument);
  const { id, digest, names, verdict } = record;
  const named = nameOf(record);
  const findings = verdict.kind === "insecure" ? undefined : await findingsOf(local, record, verdict);
  const policy = findings?.policy ?? (await readPolicy(trustOf(local).roots));
  return {
    ...{ image: argument, id, digest, names, recorded: verdict },
    ...(named === undefined ? {} : { subject: named }),
    rules: policy.rules.map((rule) => explainRule(rule, named, policy)),
    keys: await keysFor(local, { named, policy }),
    signatures: findings === undefined ? [] : findings.claims.map(explainClaim),
    now: outcomeOf(findings),
    pods: await podsUsing({ directory: local.paths.data }, id),
    dependencies: await explainParts(local, record),
  };
}

async function findingsOf(local: Local, record: ImageRecord, verdict: CheckedVerdict): Promise<Findings> {
  const source = record.names[0] ?? record.id;
  const request = { record, verdict, source, blob: storedBlob(local), insecureOptions: [] };
  return await explain(trustOf(local), request);
}

/** Of an image that was taken without a check, what its own name would be to the rules. */
function nameOf({ kind, names, source, verdict }: ImageRecord): Named | undefined {
  if (verdict.kind !== "insecure") {
    const { transport, name, reference } = verdict;
    return { transport, name, reference };
  }
  const [reference] = names;
  if (reference === undefined) return undefined;
  const transport: Transport = /^\/|^[a-z-]+:[^/]|^file:/.test(source)
    ? "file"
    : kind === "appc"
      ? "appc"
      : "registry";
  try {
    const bare = kind === "appc" ? reference.replace(/[:,].*$/, "") : reference;
    return { transport, name: normalName(bare, transport), reference };
  } catch (error) {
    if (error instanceof GantryError) return undefined;
    throw error;
  }
}

function explainRule(rule: PlacedRule, named: Named | undefined, policy: Policy): ExplainedRule {
  const { file, scope, transport } = rule;
  return {
    ...{ file, scope, requirements: requirementTexts(rule), standing: standingOf(rule, named, policy) },
    ...(transport === undefined ? {} : { transport }),
  };
}

function standingOf(rule: PlacedRule, named: Named | undefined, policy: Policy): ExplainedRule["standing"] {
  if (named === undefined || scopeFit(rule.scope, named) === undefined) return "other names";
  if (rule.transport !== undefined && rule.transport !== named.transport) return "other transport";
  return ruleFor(policy, named) === rule ? "decides" : "covers, but another is more specific";
}

type Question = { readonly named: Named | undefined; readonly policy: Policy };

/** Keys for the name, and those that the deciding rule names. */
async function keysFor(local: Local, { named, policy }: Question): Promise<ExplainedKey[]> {
  if (named === undefined) return [];
  const rule = ruleFor(policy, named);
  const wanted = new Set(rule === undefined ? [] : keysNamedBy(rule));
  const entries = (await listKeys(trustOf(local).roots)).filter((entry) => isFor(entry, named, wanted));
  const described = await describeEntries(local, entries);
  return described.map(({ path, prefix, fingerprint, name, userIds = [], problem, masked }) => ({
    ...{ path, fingerprint: fingerprint ?? name, userIds },
    state: masked ? "masked" : (problem ?? "good"),
    ...(prefix === undefined ? {} : { prefix }),
  }));
}

function isFor({ place, name }: KeyEntry, named: Named, wanted: ReadonlySet<string>): boolean {
  const prefix = prefixOf(place);
  if (prefix === undefined) return wanted.has(name);
  return prefix === "*" || covers(prefix, named.name);
}

function explainClaim({ signature, signers, problems }: Findings["claims"][number]): ExplainedSignature {
  const { digest } = signatureBlob(signature);
  const [about] = signers.map((signer) => signer.digest).filter((named) => named !== undefined);
  return {
    ...{ kind: signature.kind, digest, problems },
    ...(about === undefined ? {} : { about }),
    signers: signers.map(({ fingerprint, userIds }) => ({ fingerprint, userIds })),
  };
}

function outcomeOf(findings: Findings | undefined): Explanation["now"] {
  if (findings === undefined) {
    const reason = "it was taken without a check, and needs --insecure-options=image at every run";
    return { trusted: false, reason };
  }
  const { outcome } = findings;
  if (outcome instanceof GantryError) return { trusted: false, reason: outcome.message };
  return { trusted: true, kind: outcome.kind, reason: outcome.reason };
}

async function explainParts(
  local: Local,
  { dependencies = [] }: ImageRecord,
): Promise<Explanation["dependencies"]> {
  const parts: Explanation["dependencies"][number][] = [];
  for (const id of dependencies) {
    const record = await readRecord({ directory: local.paths.data }, id);
    const answer = record === undefined ? missing() : await standing(local, record, record.verdict);
    parts.push({ id, ...answer });
  }
  return parts;
}

function missing(): { trusted: boolean; reason: string } {
  return { trusted: false, reason: "it is gone from the store" };
}

async function standing(
  local: Local,
  record: ImageRecord,
  verdict: Verdict,
): Promise<{ trusted: boolean; reason: string }> {
  if (verdict.kind === "insecure") return { trusted: false, reason: "it was taken without a check" };
  try {
    const { reason } = await judgeAgain(local, { record, verdict });
    return { trusted: true, reason };
  } catch (error) {
    if (error instanceof GantryError && error.kind === "NotTrusted")
      return { trusted: false, reason: error.message };
    throw error;
  }
}
