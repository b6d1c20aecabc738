/**
 * Judging an image: the rule for its name, the keys that the rule lets count, what the verifier finds out about its
 * signatures, and whether that suffices (docs/trust.md). The same again for an image in the store, from what its record
 * kept.
 */
import { GantryError } from "../base/errors.ts";
import type { Roots } from "../config/files.ts";
import type { ImageRecord } from "../image/record.ts";
import type { Signature } from "../image/signature.ts";
import type { RuleName, Verdict } from "../image/verdict.ts";
import { conclude, type Found } from "./conclusion.ts";
import { decide } from "./decide.ts";
import { provenChain } from "./evidence.ts";
import { type Again, type CheckedVerdict, examine } from "./examination.ts";
import { lawFor } from "./law.ts";
import { readPolicy } from "./policy.ts";
import { uncheckedBy } from "./refusal.ts";
import type { SingleRequirement } from "./rule.ts";
import { normalName } from "./scope.ts";
import type { Judge, JudgeRequest, Subject } from "./subject.ts";
import { insecureVerdict, requireVerdict } from "./verdict.ts";
import type { Verifier } from "./verifier.ts";

export type Trust = {
  /** Directories of the configuration, the one that goes first in front. */
  readonly roots: Roots;
  readonly verifier: Verifier;
};

/** A judge by the policy and keys of the moment it is asked. */
export function judgeBy(trust: Trust): Judge {
  return async (request) => {
    if (request.insecureOptions.includes("image")) {
      return { verdict: insecureVerdict(request.uid), evidence: new Map() };
    }
    return conclude(await findOut(trust, request, {}));
  };
}

export type RejudgeRequest = Pick<
  JudgeRequest,
  "blob" | "source" | "unchecked" | "insecureOptions" | "signal"
> & {
  readonly record: Pick<ImageRecord, "kind" | "digest" | "verdict"> & Partial<Pick<ImageRecord, "source">>;
};

/**
 * Judges an image in the store again, by the policy and keys of now. Every signature is verified once more, except that
 * a detached one's bytes are gone: of those the key, the dates and the signature's own strength are checked, and that it
 * is the one that was found good. Throws as the judge does.
 */
export async function rejudge(trust: Trust, request: RejudgeRequest): Promise<Verdict> {
  const { verdict } = request.record;
  requireVerdict(verdict, { ...request, origin: request.record.source });
  if (verdict.kind === "insecure") return verdict;
  return conclude(await findOut(trust, await askAgain(request, verdict), { before: verdict })).verdict;
}

/** What a judgement rests on. */
export type Findings = Pick<Found, "policy" | "claims"> & {
  /** Absent: no rule and no key is for the name. */
  readonly rule: RuleName | undefined;
  readonly outcome: Verdict | GantryError;
};

/** The same as rejudge(), with everything that was found on the way; a refusal is an outcome. Throws BadConfig … */
export async function explain(
  trust: Trust,
  request: RejudgeRequest & { readonly verdict: CheckedVerdict },
): Promise<Findings> {
  const { verdict } = request;
  const found = await findOut(trust, await askAgain(request, verdict), { before: verdict });
  const { policy, claims, law } = found;
  return { policy, claims, rule: law?.name, outcome: outcomeOf(found) };
}

function outcomeOf(found: Found): Verdict | GantryError {
  try {
    return conclude(found).verdict;
  } catch (error) {
    if (error instanceof GantryError && error.kind === "NotTrusted") return error;
    throw error;
  }
}

const DOCUMENT = 4 * 1024 * 1024;

/** The question as it was asked when the image came; its bytes as they were served are gone. */
async function askAgain(request: RejudgeRequest, verdict: CheckedVerdict): Promise<JudgeRequest> {
  const { record, blob, source, insecureOptions, signal } = request;
  const unchecked = request.unchecked ?? uncheckedBy("run", source);
  const { transport, name, reference, claimed, archive, indexes, uid } = verdict;
  const signatures = verdict.kind === "signed" ? verdict.witnesses.map(({ signature }) => signature) : [];
  const subject: Subject = {
    transport,
    name,
    reference,
    claimed,
    digest: record.digest,
    ...(indexes === undefined ? {} : { indexes }),
    ...(indexes !== undefined || signatures.some(({ kind }) => kind === "sigstore-bundle")
      ? { manifest: await blob(record.digest, DOCUMENT) }
      : {}),
    ...(archive === undefined ? {} : { archive: { path: "", digest: archive } }),
  };
  return { subject, signatures: unique(signatures), blob, source, unchecked, insecureOptions, uid, signal };
}

function unique(signatures: readonly Signature[]): Signature[] {
  return [...new Map(signatures.map((signature) => [JSON.stringify(signature), signature])).values()];
}

async function findOut({ roots, verifier }: Trust, request: JudgeRequest, again: Again): Promise<Found> {
  const name = normalName(request.subject.name, request.subject.transport);
  const subject = { ...request.subject, name };
  const asked = { ...request, subject };
  const policy = await readPolicy(roots);
  const law = await lawFor(roots, policy, subject);
  const chain = await provenChain(asked);
  const nothing = { asked, policy, law, decision: undefined, claims: [], evidence: new Map() };
  if (chain instanceof GantryError) {
    const problems = ["not looked at: the indexes that led to the image are no proof"];
    const claims = asked.signatures.map((signature) => ({ signature, signers: [], problems }));
    return { ...nothing, claims, chain: new Map(), broken: chain };
  }
  if (law === undefined) return { ...nothing, chain };
  const { claims, evidence } = await examine(verifier, { ...asked, law, again, chain });
  const keysOf = (one: SingleRequirement) => law.paths.get(one) ?? [];
  const decision = decide(law.rule, { subject, claims, keys: law.keys, keysOf });
  return { asked, policy, law, decision, chain, claims, evidence };
}
