/**
 * Judging an image: the rule for its name, the keys that the rule lets count, what the verifier finds out about its
 * signatures, and whether that suffices (docs/trust.md). The same again for an image in the store, from what its record
 * kept.
 */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { badConfig, type Roots } from "../config/files.ts";
import { checkDigest } from "../image/hashing.ts";
import type { ImageRecord } from "../image/record.ts";
import { SIGNATURES_LIMIT, type Signature, signatureBlob } from "../image/signature.ts";
import type { RuleName, Verdict } from "../image/verdict.ts";
import { type Claim, type Decision, decide } from "./decide.ts";
import { digestsOf, provenChain } from "./evidence.ts";
import { type KeyFile, keysFor, namedKeys } from "./keystore.ts";
import { consentFor, type PlacedConsent, type Policy, readPolicy, ruleFor } from "./policy.ts";
import { refusal } from "./refusal.ts";
import type { Requirement, Rule, SingleRequirement } from "./rule.ts";
import { normalName } from "./scope.ts";
import type { Judge, Judged, JudgeRequest, Subject } from "./subject.ts";
import { insecureVerdict, requireVerdict } from "./verdict.ts";
import { type SignatureBytes, type Verified, type Verifier, verify } from "./verifier.ts";

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

export type RejudgeRequest = Pick<JudgeRequest, "blob" | "source" | "insecureOptions" | "signal"> & {
  readonly record: Pick<ImageRecord, "kind" | "digest" | "verdict">;
};

/**
 * Judges an image in the store again, by the policy and keys of now. Every signature is verified once more, except that
 * a detached one's bytes are gone: of those the key, the dates and the signature's own strength are checked, and that it
 * is the one that was found good. Throws as the judge does.
 */
export async function rejudge(trust: Trust, request: RejudgeRequest): Promise<Verdict> {
  const { verdict } = request.record;
  requireVerdict(verdict, request);
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
  const { transport, name, reference, archive, indexes, uid } = verdict;
  const signatures = verdict.kind === "signed" ? verdict.witnesses.map(({ signature }) => signature) : [];
  const subject: Subject = {
    transport,
    name,
    reference,
    digest: record.digest,
    ...(indexes === undefined ? {} : { indexes }),
    ...(indexes !== undefined || signatures.some(({ kind }) => kind === "sigstore-bundle")
      ? { manifest: await blob(record.digest, DOCUMENT) }
      : {}),
    ...(archive === undefined ? {} : { archive: { path: "", digest: archive } }),
  };
  return { subject, signatures: unique(signatures), blob, source, insecureOptions, uid, signal };
}

export type CheckedVerdict = Exclude<Verdict, { kind: "insecure" }>;

/** With the verdict from when the image came, its bytes as they were served are gone. */
type Again = { readonly before?: CheckedVerdict };

type Found = Examined & {
  readonly asked: JudgeRequest;
  readonly policy: Policy;
  /** Both absent when no rule and no key is for the name. */
  readonly law: Law | undefined;
  readonly decision: Decision | undefined;
  readonly chain: ReadonlyMap<string, Buffer>;
  /** The indexes that should lead to the image do not. */
  readonly broken?: GantryError;
};

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

/** Throws NotTrusted. */
function conclude({ asked, policy, law, decision, chain, broken, evidence }: Found): Judged {
  if (broken !== undefined) throw broken;
  if (law === undefined || decision === undefined)
    return { verdict: consented(asked, policy, undefined), evidence: chain };
  if (decision.problems.length > 0)
    return { verdict: consented(asked, policy, { law, decision }), evidence: chain };
  const kept = new Map([...chain, ...keptFor(decision, evidence)]);
  return { verdict: verdictOf(asked, law, decision), evidence: kept };
}

/** The rule that decides, and the keys it lets count. */
type Law = {
  readonly rule: Pick<Rule, "requirements" | "transport" | "firstUse">;
  readonly name: RuleName;
  readonly keys: readonly KeyFile[];
  readonly paths: ReadonlyMap<SingleRequirement, readonly string[]>;
};

/** What the keystore alone says of a name: signed, in whatever scheme, by a key that is for it. */
const BY_KEYSTORE: Requirement = {
  kind: "any",
  of: [{ kind: "openpgp" }, { kind: "cosign" }, { kind: "sigstore-bundle" }],
};

async function lawFor(roots: Roots, policy: Policy, subject: Subject): Promise<Law | undefined> {
  const rule = ruleFor(policy, subject);
  if (rule !== undefined) {
    const name = { file: rule.file, scope: rule.scope };
    return { rule, name, ...(await collectKeys(roots, rule.requirements, { subject, file: rule.file })) };
  }
  const keys = await collectKeys(roots, [BY_KEYSTORE], { subject, file: "" });
  if (keys.keys.length === 0) return undefined;
  return { rule: { requirements: [BY_KEYSTORE] }, name: { scope: subject.name }, ...keys };
}

async function collectKeys(
  roots: Roots,
  requirements: readonly Requirement[],
  { subject, file }: { readonly subject: Subject; readonly file: string },
): Promise<Pick<Law, "keys" | "paths">> {
  const keys = new Map<string, KeyFile>();
  const paths = new Map<SingleRequirement, readonly string[]>();
  for (const one of requirements.flatMap((requirement) =>
    requirement.kind === "any" ? requirement.of : [requirement],
  )) {
    if (!("keys" in one) && !SIGNED.includes(one.kind)) continue;
    const named = "keys" in one ? one.keys : undefined;
    const files =
      named === undefined ? await keysFor(roots, subject.name) : await namedKeys(roots, named, file);
    for (const key of files) keys.set(key.path, key);
    paths.set(
      one,
      files.map(({ path }) => path),
    );
  }
  return { keys: [...keys.values()], paths };
}

const SIGNED: readonly SingleRequirement["kind"][] = ["openpgp", "cosign", "sigstore-bundle"];

type Examination = JudgeRequest & Pick<Found, "chain"> & { readonly law: Law; readonly again: Again };
type Examined = { readonly claims: readonly Claim[]; readonly evidence: ReadonlyMap<string, Buffer> };

/** Has the signatures verified, if there are any and there is a key to do it with. */
async function examine(verifier: Verifier, examination: Examination): Promise<Examined> {
  const { signatures, law } = examination;
  const { read, claims, evidence } = await readSignatures(examination);
  if (signatures.length > SIGNATURES_LIMIT) throw tooMany(examination);
  if (read.length === 0 || law.keys.length === 0) {
    return {
      claims: [...claims, ...read.map(({ signature }) => ({ signature, signers: [], problems: [] }))],
      evidence,
    };
  }
  const verified = await runVerifier(verifier, examination, read);
  checkKeyFiles(law.keys, verified);
  const found = read.map(({ signature }, at) =>
    claimOf(signature, verified, { at, again: examination.again }),
  );
  return { claims: [...claims, ...found], evidence };
}

type Read = { readonly signature: Signature; readonly bytes: SignatureBytes };

async function readSignatures({
  signatures,
  blob,
}: JudgeRequest): Promise<Examined & { readonly read: readonly Read[] }> {
  const read: Read[] = [];
  const claims: Claim[] = [];
  const evidence = new Map<string, Buffer>();
  for (const signature of signatures.slice(0, SIGNATURES_LIMIT)) {
    const { digest, limit } = signatureBlob(signature);
    try {
      const bytes = await blob(digest, limit);
      checkDigest(bytes, digest, "signature");
      evidence.set(digest, bytes);
      read.push({ signature, bytes: bytesOf(signature, bytes.toString("base64")) });
    } catch (error) {
      // A signature that can't be had is none; another may do.
      if (!(error instanceof GantryError)) throw error;
      claims.push({ signature, signers: [], problems: [error.message] });
    }
  }
  return { read, claims, evidence };
}

function bytesOf(signature: Signature, content: string): SignatureBytes {
  return signature.kind === "cosign"
    ? { kind: "cosign", content, signature: signature.signature }
    : { kind: signature.kind, content };
}

async function runVerifier(
  verifier: Verifier,
  examination: Examination,
  read: readonly Read[],
): Promise<Verified> {
  const { subject, law, again, chain, signal } = examination;
  const detached =
    subject.archive !== undefined && read.some(({ signature }) => signature.kind === "openpgp");
  const input = detached && again.before === undefined;
  const verified = await verify(verifier, {
    request: {
      version: 1,
      verb: "verify",
      time: Date.now() * 1000,
      subject: {
        digest: subject.digest,
        ...(subject.manifest === undefined ? {} : { manifest: subject.manifest.toString("base64") }),
        indexes: [...chain].map(([digest, bytes]) => ({ digest, content: bytes.toString("base64") })),
        ...(detached ? { archive: input ? ("input" as const) : ("trusted" as const) } : {}),
      },
      keys: law.keys.map(({ path, content }) => ({ path, content: content.toString("base64") })),
      signatures: read.map(({ bytes }) => bytes),
    },
    ...(input ? { archive: subject.archive?.path } : {}),
    signal,
  });
  if (verified.archive === undefined || verified.archive === subject.archive?.digest) return verified;
  const message = `${quoted(subject.archive?.path ?? "")} should have digest ${subject.archive?.digest} but has ${verified.archive}`;
  throw new GantryError("DigestMismatch", message);
}

/** A key file that is none, or is called after another key, would not be what its administrator believes. */
function checkKeyFiles(keys: readonly KeyFile[], { keys: found }: Verified): void {
  for (const [at, { path, fingerprint }] of keys.entries()) {
    const held = found[at] ?? [];
    if (typeof held === "string")
      throw badConfig(path, held.startsWith("holds") ? held : `is no key file: ${held}`);
    if (fingerprint === undefined || held[0] === fingerprint) continue;
    throw badConfig(path, `holds key ${held[0]}: the name of a key's file must be its fingerprint`);
  }
}

function claimOf(
  signature: Signature,
  verified: Verified,
  { at, again }: { readonly at: number; readonly again: Again },
): Claim {
  const { signers = [], problems = [] } = verified.signatures[at] ?? {};
  if (again.before === undefined || signature.kind !== "openpgp") return { signature, signers, problems };
  const known = again.before.kind === "signed" ? again.before.witnesses : [];
  const good = signers.filter(({ fingerprint }) =>
    known.some((witness) => witness.fingerprint === fingerprint && sameBlob(witness.signature, signature)),
  );
  return { signature, signers: good, problems };
}

function sameBlob(a: Signature, b: Signature): boolean {
  return a.kind === b.kind && signatureBlob(a).digest === signatureBlob(b).digest;
}

function unique(signatures: readonly Signature[]): Signature[] {
  return [...new Map(signatures.map((signature) => [JSON.stringify(signature), signature])).values()];
}

function tooMany({ subject, signatures }: JudgeRequest): GantryError {
  const message = `image ${quoted(subject.reference)} has ${signatures.length} signatures, the limit is ${SIGNATURES_LIMIT}`;
  return new GantryError("NotTrusted", message, {
    hint: "remove those that are not needed where it comes from",
  });
}

/** Accepts by the operator's consent to this very digest, where that counts; else throws the refusal. */
function consented(
  request: JudgeRequest,
  policy: Policy,
  refused: { readonly law: Law; readonly decision: Decision } | undefined,
): Verdict {
  const { subject, source } = request;
  const consent =
    refused === undefined || refused.law.rule.firstUse === true ? consentOf(policy, subject) : undefined;
  if (consent === undefined) {
    const problems = refused?.decision.problems ?? [];
    throw refusal({ subject, source, rule: refused?.law.name, problems });
  }
  const said = `user ${consent.uid} consented on ${new Date(consent.time / 1000).toISOString()}`;
  const rule = { file: consent.file, scope: consent.name };
  return {
    kind: "pinned",
    ...common(request),
    reason: `${said} to digest ${consent.digest}`,
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

function common({ subject: { transport, name, reference, archive, indexes = [] }, uid }: JudgeRequest) {
  return {
    time: Date.now() * 1000,
    uid,
    transport,
    name,
    reference,
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
