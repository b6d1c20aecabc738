/**
 * Signatures that a registry or a lookaside server has of an image: cosign's tag, referrers, simple signing. They are
 * gathered, not believed; whether they are good, and whether there must be any, is not known here. So nothing that goes
 * wrong here fails a transfer: it is logged, and the image is as if that signature did not exist.
 */
import { GantryError } from "../base/errors.ts";
import { SIGNATURES_LIMIT, type Signature } from "../image/signature.ts";
import { cosignSignatures } from "./cosign.ts";
import type { Endpoint } from "./endpoint.ts";
import { lookasideSignatures } from "./lookaside.ts";
import { referrerSignatures } from "./referrers.ts";
import type { Search } from "./search.ts";

export type SignatureOptions = {
  readonly lookaside: readonly string[];
  readonly cosign: boolean;
  readonly referrers: boolean;
};

/** Signatures that lie in the repository itself. */
type Scheme = (search: Search, endpoint: Endpoint, subject: string) => AsyncIterable<Signature>;

/**
 * All signatures of the `subjects`, the digests by which an image may have been signed, up to the limit; each blob that
 * one names is kept.
 */
export async function gatherSignatures(
  search: Search,
  subjects: readonly string[],
  options: SignatureOptions,
): Promise<Signature[]> {
  const found = (await Promise.all(subjects.map((subject) => signaturesOf(search, subject, options)))).flat();
  const distinct = [...new Map(found.map((signature) => [JSON.stringify(signature), signature])).values()];
  if (distinct.length <= SIGNATURES_LIMIT) return distinct;
  search.log(`${search.what} has more than ${SIGNATURES_LIMIT} signatures: the rest is not looked at`);
  return distinct.slice(0, SIGNATURES_LIMIT);
}

async function signaturesOf(
  search: Search,
  subject: string,
  { lookaside, cosign, referrers }: SignatureOptions,
): Promise<Signature[]> {
  const schemes = [...(cosign ? [cosignSignatures] : []), ...(referrers ? [referrerSignatures] : [])];
  const found = await Promise.all([
    ...schemes.map((scheme) => inRepository(search, subject, scheme)),
    ...lookaside.map((base) => taken(search, lookasideSignatures(search, subject, base))),
  ]);
  return found.flat();
}

/** The signatures of the first source that has any: a mirror need not have what the registry has. */
async function inRepository(search: Search, subject: string, scheme: Scheme): Promise<Signature[]> {
  for (const endpoint of search.sources.with("resolve")) {
    const found = await taken(search, scheme(search, endpoint, subject));
    if (found.length > 0) return found;
  }
  return [];
}

/** As many as there are before something goes wrong; one more than the limit shows that there are more. */
async function taken({ log, what }: Search, signatures: AsyncIterable<Signature>): Promise<Signature[]> {
  const found: Signature[] = [];
  try {
    for await (const signature of signatures) {
      found.push(signature);
      if (found.length > SIGNATURES_LIMIT) break;
    }
  } catch (error) {
    if (!(error instanceof GantryError)) throw error;
    log(`signatures of ${what} are left out: ${error.message}`);
  }
  return found;
}
