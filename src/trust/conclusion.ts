/** What follows from what was found: a verdict with the evidence it rests on, or a refusal. */
import type { GantryError } from "../base/errors.ts";
import { signatureBlob } from "../image/signature.ts";
import type { Verdict } from "../image/verdict.ts";
import type { Decision } from "./decide.ts";
import { digestsOf } from "./evidence.ts";
import type { Examined } from "./examination.ts";
import type { Law } from "./law.ts";
import { consentFor, type PlacedConsent, type Policy } from "./policy.ts";
import { refusal, uncheckedBy } from "./refusal.ts";
import type { Judged, JudgeRequest, Subject } from "./subject.ts";

export type Found = Examined & {
  readonly asked: JudgeRequest;
  readonly policy: Policy;
  /** Both absent when no rule and no key is for the name. */
  readonly law: Law | undefined;
  readonly decision: Decision | undefined;
  readonly chain: ReadonlyMap<string, Buffer>;
  /** The indexes that should lead to the image do not. */
  readonly broken?: GantryError;
};

/** Throws NotTrusted. */
export function conclude({ asked, policy, law, decision, chain, broken, evidence }: Found): Judged {
  if (broken !== undefined) throw broken;
  if (law === undefined || decision === undefined)
    return { verdict: consented(asked, policy, undefined), evidence: chain };
  if (decision.problems.length > 0)
    return { verdict: consented(asked, policy, { law, decision }), evidence: chain };
  const kept = new Map([...chain, ...keptFor(decision, evidence)]);
  return { verdict: verdictOf(asked, law, decision), evidence: kept };
}

/** Accepts by the operator's consent to this very digest, where that counts; else throws the refusal. */
function consented(
  request: JudgeRequest,
  policy: Policy,
  refused: { readonly law: Law; readonly decision: Decision } | undefined,
): Verdict {
  const { subject, source, unchecked = uncheckedBy("fetch", source) } = request;
  const consent =
    refused === undefined || refused.law.rule.firstUse === true ? consentOf(policy, subject) : undefined;
  if (consent === undefined) {
    const problems = refused?.decision.problems ?? [];
    throw refusal({ subject, unchecked, rule: refused?.law.name, problems });
  }
  const when = new Date(consent.time / 1000).toISOString();
  const rule = { file: consent.file, scope: consent.name };
  return {
    kind: "pinned",
    ...common(request),
    reason: `allowed by the consent of user ${consent.uid}, ${when}, to digest ${consent.digest}`,
    rule,
    consent: true,
  };
}

function consentOf(policy: Policy, subject: Subject): PlacedConsent | undefined {
  return digestsOf(subject)
    .map((digest) => consentFor(policy, subject, digest))
    .find((consent) => consent !== undefined);
}

function verdictOf(request: JudgeRequest, law: Law, { witnesses, pinned }: Decision): Verdict {
  const rule = law.name;
  if (witnesses.length === 0) {
    return pinned !== undefined
      ? {
          kind: "pinned",
          ...common(request),
          reason: `pinned to digest ${pinned}`,
          rule,
          consent: false,
        }
      : { kind: "unsigned", ...common(request), reason: "unsigned, accepted by the trust policy", rule };
  }
  const expires = Math.min(...witnesses.map((witness) => witness.expires ?? Number.POSITIVE_INFINITY));
  const signers = [...new Set(witnesses.map(({ fingerprint }) => fingerprint))].join(", ");
  return {
    kind: "signed",
    ...common(request),
    reason: `signed by ${signers}`,
    rule,
    witnesses: [...witnesses],
    ...(Number.isFinite(expires) ? { expires } : {}),
  };
}

function common({ subject, uid }: JudgeRequest) {
  const { transport, name, reference, claimed, archive, indexes = [] } = subject;
  return {
    time: Date.now() * 1000,
    uid,
    transport,
    name,
    reference,
    ...(claimed === undefined ? {} : { claimed }),
    ...(archive === undefined ? {} : { archive: archive.digest }),
    ...(indexes.length === 0 ? {} : { indexes: [...indexes] }),
  };
}

function keptFor(
  { witnesses }: Decision,
  evidence: ReadonlyMap<string, Buffer>,
): ReadonlyMap<string, Buffer> {
  const digests = witnesses.map(({ signature }) => signatureBlob(signature).digest);
  return new Map([...evidence].filter(([digest]) => digests.includes(digest)));
}
