/** What the verifier finds out about an image's signatures, with the keys that the law lets count. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { badConfig } from "../config/files.ts";
import { checkDigest } from "../image/hashing.ts";
import { SIGNATURES_LIMIT, type Signature, signatureBlob } from "../image/signature.ts";
import type { Verdict } from "../image/verdict.ts";
import type { Claim } from "./decide.ts";
import type { KeyFile } from "./keystore.ts";
import type { Law } from "./law.ts";
import type { JudgeRequest } from "./subject.ts";
import { type SignatureBytes, type Verified, type Verifier, verify } from "./verifier.ts";

export type CheckedVerdict = Exclude<Verdict, { kind: "insecure" }>;

/** With the verdict from when the image came, its bytes as they were served are gone. */
export type Again = { readonly before?: CheckedVerdict };

export type Examination = JudgeRequest & {
  readonly law: Law;
  readonly again: Again;
  /** The indexes that are proven to lead to the image, by digest. */
  readonly chain: ReadonlyMap<string, Buffer>;
};

export type Examined = { readonly claims: readonly Claim[]; readonly evidence: ReadonlyMap<string, Buffer> };

/** Has the signatures verified, if there are any and there is a key to do it with. */
export async function examine(verifier: Verifier, examination: Examination): Promise<Examined> {
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

function tooMany({ subject, signatures }: JudgeRequest): GantryError {
  const message = `image ${quoted(subject.reference)} has ${signatures.length} signatures, the limit is ${SIGNATURES_LIMIT}`;
  return new GantryError("NotTrusted", message, {
    hint: "remove those that are not needed where it comes from",
  });
}
