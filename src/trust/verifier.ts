/**
 * What the manager and gantry-verifier say to each other (docs/trust.md): one request, one answer, each a JSON document.
 * The verifier finds out who signed what; whether that suffices is decided here, by who asked.
 */
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { DigestText } from "../image/digest-text.ts";
import { SIGNATURES_LIMIT } from "../image/signature.ts";
import { MOST_INDEXES } from "../image/verdict.ts";

const Bytes = z.base64();
const Fingerprint = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/);

const Key = z.strictObject({ path: z.string(), content: Bytes });

const SignatureBytes = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("openpgp"), content: Bytes }),
  z.strictObject({ kind: z.literal("simple-signing"), content: Bytes }),
  z.strictObject({ kind: z.literal("cosign"), content: Bytes, signature: Bytes }),
  z.strictObject({ kind: z.literal("sigstore-bundle"), content: Bytes }),
]);
export type SignatureBytes = z.infer<typeof SignatureBytes>;

export const VerifierRequest = z.discriminatedUnion("verb", [
  z.strictObject({
    version: z.literal(1),
    verb: z.literal("verify"),
    /** Microseconds since the epoch: the time to judge dates by. */
    time: z.int(),
    subject: z.strictObject({
      digest: DigestText,
      manifest: Bytes.optional(),
      /** The indexes that lead to the manifest, which is proved already. */
      indexes: z
        .array(z.strictObject({ digest: DigestText, content: Bytes }))
        .max(MOST_INDEXES)
        .optional(),
      /** `input`: the ACI is standard input. `trusted`: its bytes are gone, and were verified when they came. */
      archive: z.enum(["input", "trusted"]).optional(),
    }),
    keys: z.array(Key),
    signatures: z.array(SignatureBytes).max(SIGNATURES_LIMIT),
  }),
  /** What is in a key file. */
  z.strictObject({
    version: z.literal(1),
    verb: z.literal("keys"),
    time: z.int(),
    keys: z.array(Key).max(1024),
  }),
]);
export type VerifierRequest = z.infer<typeof VerifierRequest>;
export type VerifyRequest = Extract<VerifierRequest, { verb: "verify" }>;

const Sentence = z.string().max(500);

const KeyDescription = z.strictObject({
  kind: z.enum(["openpgp", "public-key"]),
  fingerprint: Fingerprint,
  subkeys: z.array(Fingerprint).max(256),
  userIds: z.array(Sentence).max(64),
  /** Such as `RSA 4096`. */
  algorithm: z.string().max(64),
  created: z.int().optional(),
  expires: z.int().optional(),
  /** Why its signatures don't count: expired, revoked, weak. */
  problem: Sentence.optional(),
  /** This key alone, as text. */
  text: z.string().max(2 * 1024 * 1024),
});
export type KeyDescription = z.infer<typeof KeyDescription>;

/** A key whose signature is good, and what the signature says. */
const Signer = z.strictObject({
  /** Its file's place in the request. */
  key: z.int().nonnegative(),
  fingerprint: Fingerprint,
  userIds: z.array(Sentence).max(64),
  /** What the signature says it is for: the manifest, or one of the indexes. */
  digest: DigestText.optional(),
  identity: z.string().max(1024).optional(),
  signed: z.int().optional(),
  expires: z.int().optional(),
  annotations: z.record(z.string().max(512), z.string().max(4096)).optional(),
  /** Of an attestation; absent for a signature of the image itself. */
  predicateType: z.string().max(512).optional(),
});
export type Signer = z.infer<typeof Signer>;

const Verified = z.strictObject({
  version: z.literal(1),
  verb: z.literal("verify"),
  /** sha256 of what was standard input, when it was read. */
  archive: DigestText.optional(),
  /** In the request's order: the fingerprints of the primary keys of each file, or why it is none. */
  keys: z.array(z.union([z.array(Fingerprint).max(256), Sentence])),
  /** In the request's order. */
  signatures: z.array(
    z.strictObject({ signers: z.array(Signer).max(256), problems: z.array(Sentence).max(64) }),
  ),
});
const Described = z.strictObject({
  version: z.literal(1),
  verb: z.literal("keys"),
  keys: z.array(z.union([z.array(KeyDescription).max(256), Sentence])),
});
export const VerifierAnswer = z.discriminatedUnion("verb", [Verified, Described]);
export type VerifierAnswer = z.infer<typeof VerifierAnswer>;
export type Verified = z.infer<typeof Verified>;

export const ANSWER_LIMIT = 4 * 1024 * 1024;

export type VerifierRun = {
  readonly request: VerifierRequest;
  /** What becomes its standard input. */
  readonly archive?: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Runs gantry-verifier to its end; gives what it wrote, at most ANSWER_LIMIT. Throws SystemdFailed, Cancelled, Internal. */
export type Verifier = (run: VerifierRun) => Promise<Buffer>;

/** Throws Internal for an answer that is not one to this request. */
export async function verify(
  verifier: Verifier,
  run: VerifierRun & { readonly request: VerifyRequest },
): Promise<Verified> {
  const answer = parseAnswer(await verifier(run));
  const { keys, signatures, subject } = run.request;
  const digests = [undefined, subject.digest, ...(subject.indexes ?? []).map(({ digest }) => digest)];
  const fits =
    answer.verb === "verify" &&
    answer.keys.length === keys.length &&
    answer.signatures.length === signatures.length &&
    answer.signatures.every(({ signers }) =>
      signers.every(({ key, digest }) => key < keys.length && digests.includes(digest)),
    ) &&
    (answer.archive === undefined || subject.archive === "input");
  if (fits) return answer;
  throw new GantryError("Internal", "the verifier's answer does not fit its request");
}

/** Of each file the keys in it, or the sentence that says why it is no key file. */
export async function describeKeys(
  verifier: Verifier,
  files: readonly { readonly path: string; readonly content: Buffer }[],
  signal?: AbortSignal,
): Promise<(KeyDescription[] | string)[]> {
  const keys = files.map(({ path, content }) => ({ path, content: content.toString("base64") }));
  const answer = parseAnswer(
    await verifier({ request: { version: 1, verb: "keys", time: Date.now() * 1000, keys }, signal }),
  );
  if (answer.verb === "keys" && answer.keys.length === files.length) return answer.keys;
  throw new GantryError("Internal", "the verifier's answer does not fit its request");
}

function parseAnswer(bytes: Buffer): VerifierAnswer {
  try {
    return VerifierAnswer.parse(JSON.parse(bytes.toString()));
  } catch (cause) {
    throw new GantryError("Internal", "the verifier wrote an answer that can't be read", { cause });
  }
}
