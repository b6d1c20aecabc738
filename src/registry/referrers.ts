/**
 * Manifests that refer to a digest (distribution specification 1.1): the API with its pages, or, from registries that
 * have none, the index under the tag that is made of the digest.
 */
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { DOCUMENT_LIMIT } from "../image/layout.ts";
import { checked, Descriptor, parseJson } from "../image/oci.ts";
import { SIGNATURES_LIMIT, type Signature } from "../image/signature.ts";
import type { Endpoint } from "./endpoint.ts";
import {
  findDocument,
  OCI_INDEX,
  OCI_MANIFEST,
  parseSignatureManifest,
  type Search,
  signaturesWithin,
} from "./search.ts";

const MOST_PAGES = 16;

/** Artifacts that are signatures: sigstore bundles, and cosign's payloads where they refer instead of having a tag. */
const SIGNATURE_TYPES =
  /^application\/vnd\.(dev\.sigstore\.bundle(\.v\d+(\.\d+)*)?\+json|dev\.cosign\.artifact\.sig\.v1\+json)/;

const Index = z.object({ schemaVersion: z.literal(2), manifests: z.array(Descriptor).max(10_000) });

export async function* referrerSignatures(
  search: Search,
  endpoint: Endpoint,
  subject: string,
): AsyncGenerator<Signature> {
  const referrers = await signatureReferrers(endpoint, subject, search);
  if (referrers.length > SIGNATURES_LIMIT) {
    search.log(`more than ${SIGNATURES_LIMIT} signatures refer to ${subject}: the rest is not looked at`);
  }
  // Each costs a request, whether or not it turns out to be about the subject.
  for (const descriptor of referrers.slice(0, SIGNATURES_LIMIT)) {
    yield* signaturesOf(search, { endpoint, descriptor, subject });
  }
}

/** What refers to the subject and calls itself a signature, whether or not the server filters; bounded. */
async function signatureReferrers(
  endpoint: Endpoint,
  subject: string,
  { log }: Search,
): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  let next: string | URL | undefined = `referrers/${subject}`;
  for (let page = 0; next !== undefined && found.length <= SIGNATURES_LIMIT; page++) {
    if (page === MOST_PAGES) {
      log(`the referrers of ${subject} fill more than ${MOST_PAGES} pages: the rest is not looked at`);
      break;
    }
    const document = await endpoint.document(next, { limit: DOCUMENT_LIMIT, accept: OCI_INDEX });
    if (document.status === 404 && page === 0) return await taggedReferrers(endpoint, subject);
    if (document.status !== 200) throw endpoint.refusal(document, `referrers of ${subject}`);
    found.push(...signaturesAmong(document.bytes, `the referrers of ${subject}`));
    next = nextPage(document.headers["link"], document.url);
  }
  return found;
}

async function taggedReferrers(endpoint: Endpoint, subject: string): Promise<Descriptor[]> {
  const tag = subject.replace(":", "-");
  const bytes = await findDocument(endpoint, tag, { what: `index ${tag}`, accept: OCI_INDEX });
  return bytes === undefined ? [] : signaturesAmong(bytes, `index ${tag}`);
}

function signaturesAmong(bytes: Buffer, what: string): Descriptor[] {
  const { manifests } = checked(Index, parseJson(bytes, what), what);
  return manifests.filter(({ artifactType }) => SIGNATURE_TYPES.test(artifactType ?? ""));
}

/** The URL of `rel="next"` in a Link header (RFC 8288). */
export function nextPage(link: string | string[] | undefined, base: URL): URL | undefined {
  const header = Array.isArray(link) ? link.join(", ") : (link ?? "");
  for (const [, target = "", parameters = ""] of header.matchAll(/<([^>]*)>([^<]*)/g)) {
    if (!/;\s*rel\s*=\s*("[^"]*\bnext\b[^"]*"|next\b)/i.test(parameters)) continue;
    return URL.canParse(target, base.href) ? new URL(target, base) : undefined;
  }
  return undefined;
}

async function* signaturesOf(
  search: Search,
  at: { readonly endpoint: Endpoint; readonly descriptor: Descriptor; readonly subject: string },
): AsyncGenerator<Signature> {
  const { endpoint, descriptor, subject } = at;
  const what = `referrer ${descriptor.digest}`;
  const bytes = await findDocument(endpoint, descriptor.digest, { what, accept: OCI_MANIFEST });
  if (bytes === undefined) throw new GantryError("FetchFailed", `${what} is listed but is not there`);
  const manifest = parseSignatureManifest(bytes, what);
  // A list can claim anything; what it leads to must say itself what it is about.
  if (manifest.subject?.digest !== subject) return;
  yield* signaturesWithin(search, endpoint, manifest);
}
