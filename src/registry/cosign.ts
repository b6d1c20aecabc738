/** cosign's first layout: all signatures of a digest are layers of one manifest, whose tag is made of the digest. */
import type { Signature } from "../image/signature.ts";
import type { Endpoint } from "./endpoint.ts";
import {
  findDocument,
  OCI_MANIFEST,
  parseSignatureManifest,
  type Search,
  signaturesWithin,
} from "./search.ts";

export async function* cosignSignatures(
  search: Search,
  endpoint: Endpoint,
  subject: string,
): AsyncGenerator<Signature> {
  const tag = `${subject.replace(":", "-")}.sig`;
  const what = `signature manifest ${tag}`;
  const bytes = await findDocument(endpoint, tag, { what, accept: OCI_MANIFEST });
  if (bytes === undefined) return;
  yield* signaturesWithin(search, endpoint, parseSignatureManifest(bytes, what));
}
