/** Simple signing's lookaside servers: `<base>/<repository>@<algorithm>=<hex>/signature-N`, N from 1 until there is none. */
import { GantryError } from "../base/errors.ts";
import { digestOf } from "../image/hashing.ts";
import { SIGNATURE_LIMIT, SIGNATURES_LIMIT, type Signature } from "../image/signature.ts";
import { fetchDocument } from "../transfer/document.ts";
import { shownUrl } from "../transfer/failure.ts";
import type { Search } from "./search.ts";

export async function* lookasideSignatures(
  { client, access, repository, keep }: Search,
  subject: string,
  base: string,
): AsyncGenerator<Signature> {
  const path = `${repository}@${subject.replace(":", "=")}`;
  for (let number = 1; number <= SIGNATURES_LIMIT + 1; number++) {
    const url = new URL(`${base.replace(/\/+$/, "")}/${path}/signature-${number}`);
    const { status, bytes } = await fetchDocument(client, { url, access, limit: SIGNATURE_LIMIT });
    if (status === 404) return;
    if (status !== 200) throw new GantryError("FetchFailed", `${shownUrl(url)} answers ${status}`);
    const digest = digestOf(bytes);
    await keep(digest, bytes);
    yield { kind: "simple-signing", signature: digest };
  }
}
