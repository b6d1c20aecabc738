/**
 * Why an image may run: what the trust policy said when the image was imported, with everything it takes to say it
 * again (docs/trust.md). Part of the image record.
 */
import * as z from "zod";
import { DigestText } from "./digest-text.ts";
import { Signature } from "./signature.ts";

/** The way an image came, which a rule of the policy may name. */
export const TRANSPORTS = ["appc", "registry", "file"] as const;
export const Transport = z.enum(TRANSPORTS);
export type Transport = z.infer<typeof Transport>;

/** Indexes that lead to one manifest, at most. */
export const MOST_INDEXES = 8;

/** A signature that was found good, and who made it. */
export const Witness = z.strictObject({
  signature: Signature,
  /** What it says it is for: the manifest or an index that led to it. Absent where its scheme names no digest. */
  digest: DigestText.optional(),
  /** Of the primary key (OpenPGP), or sha256 of the public key in DER. */
  fingerprint: z.string().regex(/^[0-9a-f]{40,64}$/),
  /** The key file it was found in, and the digest that file had. */
  key: z.strictObject({ path: z.string(), digest: DigestText }),
  /** User ids of an OpenPGP key. */
  userIds: z.array(z.string()),
  /** The name inside the signature, where its scheme puts one there. */
  identity: z.string().optional(),
  /** Microseconds since the epoch: when it was made, as it says itself. */
  signed: z.int().optional(),
  /** When the key or the signature ends to be good. */
  expires: z.int().optional(),
});
export type Witness = z.infer<typeof Witness>;

/** The rule of the policy that decided: its file, absent for the keystore's own rule, and its scope. */
export const RuleName = z.strictObject({ file: z.string().optional(), scope: z.string() });
export type RuleName = z.infer<typeof RuleName>;

/** What was judged, apart from its bytes. */
const subject = {
  transport: Transport,
  /** Normalised, without tag, digest or labels. */
  name: z.string(),
  /** The name asked for, with its tag, digest or labels. */
  reference: z.string(),
  /** The name is what the image says of itself: it came by a URL, and nobody was asked for it by that name. */
  claimed: z.literal(true).optional(),
  /** Digest of an ACI as it was served: what its signatures are over. */
  archive: DigestText.optional(),
  /** The indexes that led to the manifest, outermost first: signatures may be over one of them, and digests pin it. */
  indexes: z.array(DigestText).max(MOST_INDEXES).optional(),
};

const always = {
  /** One sentence for people. */
  reason: z.string(),
  /** Microseconds since the epoch. */
  time: z.int(),
  /** Who asked for the image. */
  uid: z.int().nonnegative(),
};

export const Verdict = z.discriminatedUnion("kind", [
  /** Not checked: the operator said `--insecure-options=image` for it. */
  z.strictObject({ kind: z.literal("insecure"), ...always }),
  /** A rule accepts this name without a signature. */
  z.strictObject({ kind: z.literal("unsigned"), ...always, ...subject, rule: RuleName }),
  /** A rule, or the operator's consent to a first use, names this very digest. */
  z.strictObject({ kind: z.literal("pinned"), ...always, ...subject, rule: RuleName, consent: z.boolean() }),
  z.strictObject({
    kind: z.literal("signed"),
    ...always,
    ...subject,
    rule: RuleName,
    witnesses: z.array(Witness).min(1),
    /** Until when, by the clocks of keys and signatures; absent: for as long as they are trusted. */
    expires: z.int().optional(),
  }),
]);
export type Verdict = z.infer<typeof Verdict>;
