/**
 * Proof that the indexes an image came by lead to it: only then is a signature over one of them, or a pin of its digest,
 * about the image. The same when it comes and at every later judgement, from documents alone.
 */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { checkChain } from "../image/chain.ts";
import { checkDigest } from "../image/hashing.ts";
import { DOCUMENT_LIMIT } from "../image/layout.ts";
import type { JudgeRequest } from "./subject.ts";

/** The indexes by their digests, outermost first; or the refusal of an image for which they prove nothing. */
export async function provenChain({
  subject,
  blob,
}: JudgeRequest): Promise<ReadonlyMap<string, Buffer> | GantryError> {
  const { indexes = [], manifest = Buffer.alloc(0), digest, reference } = subject;
  const chain = new Map<string, Buffer>();
  if (indexes.length === 0) return chain;
  try {
    for (const index of indexes) chain.set(index, await blob(index, DOCUMENT_LIMIT));
    checkDigest(manifest, digest, "manifest");
    checkChain(chain, manifest);
    return chain;
  } catch (cause) {
    if (!(cause instanceof GantryError)) throw cause;
    const message = `image ${quoted(reference)} is not trusted: the indexes that led to it are no proof: ${cause.message}`;
    return new GantryError("NotTrusted", message, { cause, hint: "fetch it again" });
  }
}

/** Everything by which the image may be named: its own digests, and those of the indexes that led to it. */
export function digestsOf({ digest, archive, indexes = [] }: JudgeRequest["subject"]): string[] {
  return [digest, ...(archive === undefined ? [] : [archive.digest]), ...indexes];
}
