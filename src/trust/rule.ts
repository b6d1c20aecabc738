/** What a file of trust.d may say (docs/trust.md; gantry-trust-policy(5) is the manual). */
import * as z from "zod";
import { DigestText } from "../image/digest-text.ts";
import { Transport } from "../image/verdict.ts";

const FileName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/, "must be the name of a file in trustedkeys/named.d");
const Text = z.string().min(1).max(512);

/** Files of trustedkeys/named.d; without them, the keystore's keys for the image's name. */
const Keys = z.array(FileName).min(1).max(32).optional();

/** How the name inside a signature must agree with the name asked for; the words are containers-policy.json(5)'s. */
export const Identity = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("matchExact") }),
  z.strictObject({ type: z.literal("matchRepoDigestOrExact") }),
  z.strictObject({ type: z.literal("matchRepository") }),
  z.strictObject({ type: z.literal("exactReference"), reference: Text }),
  z.strictObject({ type: z.literal("exactRepository"), repository: Text }),
  z.strictObject({ type: z.literal("remapIdentity"), prefix: Text, signedPrefix: Text }),
]);
export type Identity = z.infer<typeof Identity>;

const Single = z.discriminatedUnion("kind", [
  /** Nothing of this name runs. */
  z.strictObject({ kind: z.literal("reject") }),
  /** Runs without a signature. */
  z.strictObject({ kind: z.literal("unsigned") }),
  z.strictObject({ kind: z.literal("digests"), digests: z.array(DigestText).min(1).max(1024) }),
  /** Detached over an ACI, simple signing otherwise. */
  z.strictObject({ kind: z.literal("openpgp"), keys: Keys, identity: Identity.optional() }),
  z.strictObject({
    kind: z.literal("cosign"),
    keys: Keys,
    identity: Identity.optional(),
    /** Pairs that the signed payload must carry. */
    annotations: z.record(Text, z.string().max(4096)).optional(),
  }),
  z.strictObject({
    kind: z.literal("sigstore-bundle"),
    keys: Keys,
    /** Predicate types of attestations that count as a permission to run; a signature of the image itself always does. */
    predicateTypes: z.array(Text).min(1).max(32).optional(),
  }),
]);
export type SingleRequirement = z.infer<typeof Single>;

/** `any` is satisfied by one of its members. */
const Any = z.strictObject({ kind: z.literal("any"), of: z.array(Single).min(1).max(16) });
export const Requirement = z.union([Single, Any]);
export type Requirement = z.infer<typeof Requirement>;

export const Rule = z.strictObject({
  /** The beginning of names in whole segments, normalised when it is read; `*` is every name. */
  scope: z.string().min(1).max(512),
  /** Absent: however the image came. */
  transport: Transport.optional(),
  /** All of them must be satisfied. */
  requirements: z.array(Requirement).min(1).max(16),
  /** Whether a consent to one digest counts beside the requirements. */
  firstUse: z.boolean().optional(),
});
export type Rule = z.infer<typeof Rule>;

/** An operator's explicit word for one digest of one name. */
export const Consent = z.strictObject({
  name: Text,
  transport: Transport.optional(),
  digest: DigestText,
  /** Microseconds since the epoch, and who said it. */
  time: z.int(),
  uid: z.int().nonnegative(),
});
export type Consent = z.infer<typeof Consent>;

export const PolicyFile = z.strictObject({
  version: z.literal(1),
  rules: z.array(Rule).max(1024).default([]),
  consents: z.array(Consent).max(4096).default([]),
});
export type PolicyFile = z.infer<typeof PolicyFile>;
