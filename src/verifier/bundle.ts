/**
 * sigstore bundles made with a key. Entries of transparency logs and timestamps are not asked for: whoever trusts a key
 * needs no log to tell whose it was, and without the logs' keys they could not be checked here.
 */
import { type Bundle, bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, Verifier } from "@sigstore/verify";
import * as z from "zod";
import { type BareKey, bareProblem } from "./keys.ts";
import { sentence } from "./sentence.ts";

const IN_TOTO = "application/vnd.in-toto+json";
const NO_THRESHOLDS = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };

const Statement = z.object({
  _type: z.enum(["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"]),
  subject: z.array(z.object({ digest: z.record(z.string(), z.string()) })).max(1024),
  predicateType: z.string().max(512),
});

/** Throws an Error for what is no bundle of a key. */
export function readBundle(content: Buffer): Bundle {
  const bundle = bundleFromJSON(JSON.parse(content.toString()));
  if (bundle.verificationMaterial.content.$case === "publicKey") return bundle;
  throw new Error("it was made with a certificate; only signatures of keys can be checked here");
}

/** Whether `key` signed it, over `document` where it signs an artifact itself. */
export function signs(bundle: Bundle, { key, fingerprint }: BareKey, document: Buffer): boolean | string {
  const trust = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey: key, validFor: () => true }),
  };
  try {
    const entity = { ...toSignedEntity(bundle, document), tlogEntries: [], timestamps: [] };
    new Verifier(trust, NO_THRESHOLDS).verify(entity);
  } catch {
    return false;
  }
  const problem = bareProblem(key);
  return problem === undefined ? true : `key ${fingerprint}: ${problem}`;
}

type Attested = { readonly digest: string; readonly predicateType: string };

/** What an attestation is about, of these digests; undefined for a signature of the artifact. Throws an Error. */
export function attestedOf(bundle: Bundle, digests: readonly string[]): Attested | undefined {
  if (bundle.content.$case === "messageSignature") return undefined;
  const { payloadType, payload } = bundle.content.dsseEnvelope;
  if (payloadType !== IN_TOTO)
    throw new Error(`its payload is a "${sentence(payloadType)}", not a "${IN_TOTO}"`);
  const parsed = Statement.safeParse(JSON.parse(payload.toString()));
  if (!parsed.success) throw new Error(`its statement is wrong at ${parsed.error.issues[0]?.path.join(".")}`);
  const { subject, predicateType } = parsed.data;
  const digest = digests.find((one) => subject.some((about) => isAbout(about.digest, one)));
  if (digest !== undefined) return { digest, predicateType };
  throw new Error(`its statement is not about ${digests.join(" or ")}`);
}

function isAbout(named: Readonly<Record<string, string>>, digest: string): boolean {
  const [algorithm = "", hex] = digest.split(":");
  return Object.hasOwn(named, algorithm) && named[algorithm] === hex;
}
