/** Whether the signers that the verifier found satisfy a rule. Pure: no file is read and nothing is verified here. */
import type { Signature } from "../image/signature.ts";
import type { Witness } from "../image/verdict.ts";
import { digestsOf } from "./evidence.ts";
import { identityProblem } from "./identity.ts";
import type { KeyFile } from "./keystore.ts";
import type { PlacedRule } from "./policy.ts";
import type { Identity, Requirement, SingleRequirement } from "./rule.ts";
import type { Subject } from "./subject.ts";
import type { Signer } from "./verifier.ts";

export type Claim = {
  readonly signature: Signature;
  readonly signers: readonly Signer[];
  readonly problems: readonly string[];
};

export type Facts = {
  readonly subject: Subject;
  readonly claims: readonly Claim[];
  /** In the order of the verifier's request. */
  readonly keys: readonly KeyFile[];
  /** Paths of the keys that a requirement lets count. */
  readonly keysOf: (requirement: SingleRequirement) => readonly string[];
};

export type Decision = {
  readonly witnesses: readonly Witness[];
  /** The digest that a rule named. */
  readonly pinned: string | undefined;
  /** Why it is refused: empty when it is not. */
  readonly problems: readonly string[];
  /** Of a signature that was asked for: whether there is none of its kind at all. */
  readonly absent?: boolean;
};

/** cosign's own statement that it signs an image: the one attestation that is a signature. */
const SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1";

export function decide(rule: Pick<PlacedRule, "requirements" | "transport">, facts: Facts): Decision {
  const decisions = rule.requirements.map((requirement) => meets(requirement, rule, facts));
  return {
    witnesses: decisions.flatMap(({ witnesses }) => witnesses),
    pinned: decisions.map(({ pinned }) => pinned).find((pinned) => pinned !== undefined),
    problems: decisions.flatMap(({ problems }) => problems),
  };
}

type RulePart = Pick<PlacedRule, "transport">;

function meets(requirement: Requirement, rule: RulePart, facts: Facts): Decision {
  if (requirement.kind !== "any") return meetsOne(requirement, rule, facts);
  const tried = requirement.of.map((one) => meetsOne(one, rule, facts));
  const good = tried.find(({ problems }) => problems.length === 0);
  if (good !== undefined) return good;
  // Of a signature that is there and does not count more is to be told than of those that are not there.
  const isThere = tried.some(({ absent }) => absent === false);
  const told = isThere ? tried.filter(({ absent }) => absent !== true) : tried;
  return refused(...new Set(told.flatMap(({ problems }) => problems)));
}

function meetsOne(requirement: SingleRequirement, rule: RulePart, facts: Facts): Decision {
  const { subject } = facts;
  switch (requirement.kind) {
    case "reject":
      return refused("the rule rejects every image of its scope");
    case "unsigned":
      return nameProblem(subject, rule) ?? ACCEPTED;
    case "digests": {
      const pinned = digestsOf(subject).find((digest) => requirement.digests.includes(digest));
      return pinned !== undefined
        ? { ...ACCEPTED, pinned }
        : refused(`its digest ${subject.digest} is not among those pinned`);
    }
    default:
      return signedAsAsked(requirement, facts);
  }
}

/** What an image calls itself nobody has vouched for, unlike a registry that answers for its host's name. */
function nameProblem({ transport, claimed }: Subject, rule: RulePart): Decision | undefined {
  if (claimed === true)
    return refused("a URL proves no name: only what is found by its name is accepted unsigned");
  return transport === "file" && rule.transport !== "file"
    ? refused('a file proves no name: accepting it unsigned takes a rule of transport "file"')
    : undefined;
}

type SignedRequirement = Extract<SingleRequirement, { kind: "openpgp" | "cosign" | "sigstore-bundle" }>;

const ACCEPTED: Decision = { witnesses: [], pinned: undefined, problems: [] };

function refused(...problems: string[]): Decision {
  return { witnesses: [], pinned: undefined, problems };
}

function signedAsAsked(requirement: SignedRequirement, facts: Facts): Decision {
  const paths = facts.keysOf(requirement);
  const kinds = requirement.kind === "openpgp" ? ["openpgp", "simple-signing"] : [requirement.kind];
  const claims = facts.claims.filter(({ signature }) => kinds.includes(signature.kind));
  if (claims.length === 0) {
    return { ...refused(`it carries no ${requirement.kind} signature`), absent: true };
  }
  if (paths.length === 0) return refused(`there is no key to check its ${requirement.kind} signatures with`);
  const problems: string[] = [];
  const witnesses: Witness[] = [];
  for (const claim of claims) {
    problems.push(...claim.problems);
    for (const signer of claim.signers) {
      const key = facts.keys[signer.key];
      if (key === undefined || !paths.includes(key.path)) continue;
      const problem = signerProblem(requirement, claim.signature, { signer, subject: facts.subject });
      if (problem === undefined) witnesses.push(witnessOf(claim.signature, signer, key));
      else problems.push(problem);
    }
  }
  if (witnesses.length > 0) return { ...ACCEPTED, witnesses };
  const [first = "it is signed, but by none of the keys the rule asks for"] = problems;
  return { ...refused(...new Set([first, ...problems])), absent: false };
}

function signerProblem(
  requirement: SignedRequirement,
  signature: Signature,
  { signer, subject }: { readonly signer: Signer; readonly subject: Subject },
): string | undefined {
  if (requirement.kind === "sigstore-bundle") return predicateProblem(requirement, signer);
  // A detached signature is over the bytes alone: it counts for the names its key is trusted for.
  if (signature.kind === "openpgp") return undefined;
  const identity: Identity = requirement.identity ?? {
    // cosign writes repositories without tags.
    type: requirement.kind === "cosign" ? "matchRepository" : "matchRepoDigestOrExact",
  };
  const wrong = identityProblem(signer.identity ?? "", subject.reference, identity);
  if (wrong !== undefined || requirement.kind !== "cosign") return wrong;
  const missing = Object.entries(requirement.annotations ?? {}).find(
    ([name, value]) => !Object.hasOwn(signer.annotations ?? {}, name) || signer.annotations?.[name] !== value,
  );
  return missing === undefined ? undefined : `its annotation ${missing[0]} is not ${missing[1]}`;
}

function predicateProblem(
  { predicateTypes }: Extract<SingleRequirement, { kind: "sigstore-bundle" }>,
  { predicateType }: Signer,
): string | undefined {
  const counts = [undefined, SIGN_PREDICATE, ...(predicateTypes ?? [])].includes(predicateType);
  return counts ? undefined : `an attestation of ${predicateType} is no permission to run`;
}

function witnessOf(signature: Signature, signer: Signer, key: KeyFile): Witness {
  const { fingerprint, userIds, digest, identity, signed, expires } = signer;
  return {
    signature,
    fingerprint,
    key: { path: key.path, digest: key.digest },
    userIds,
    ...(digest === undefined ? {} : { digest }),
    ...(identity === undefined ? {} : { identity }),
    ...(signed === undefined ? {} : { signed }),
    ...(expires === undefined ? {} : { expires }),
  };
}
