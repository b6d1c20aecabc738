/** What is decided about an image from a layout or an archive on this machine: may it run under the name it gives itself? */
import { GantryError } from "../base/errors.ts";
import { readBounded, unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { type ImageFiles, readExtent } from "../image/archive.ts";
import { parseDigest } from "../image/digest.ts";
import { digestOf } from "../image/hashing.ts";
import { signaturesInLayout } from "../image/layout-signatures.ts";
import { parseRepository } from "../image/repository.ts";
import { SIGNATURE_LIMIT, type Signature } from "../image/signature.ts";
import type { SourceImage } from "../image/source.ts";
import type { JudgedImage } from "../store/source.ts";
import type { JudgeRequest } from "../trust/subject.ts";
import type { AciFetch } from "./aci.ts";

export type FoundImage = {
  readonly image: SourceImage;
  /** The layout it lies in. */
  readonly files: ImageFiles | undefined;
  readonly source: string;
  /** Simple signing, from a file of its own. */
  readonly signature: Buffer | undefined;
};

/** An image that calls itself nothing. */
const NAMELESS = "localhost/image:latest";

type Asker = Pick<AciFetch, "judge" | "insecureOptions" | "uid" | "signal">;

/** Judges an image by each of its names, of which none vouches for another. Throws as the judge does. */
export async function judgeFile(asker: Asker, found: FoundImage): Promise<JudgedImage> {
  const { names } = found.image;
  const [first = NAMELESS, ...others] = names;
  const question = await questionOf(asker, found);
  const { verdict, evidence } = await asker.judge(question(first));
  const verdicts = new Map([[first, verdict]]);
  const kept = new Map(evidence);
  for (const name of others) {
    const judged = await asker.judge(question(name));
    verdicts.set(name, judged.verdict);
    for (const [digest, bytes] of judged.evidence) kept.set(digest, bytes);
  }
  return { verdict, verdicts, evidence: kept };
}

async function questionOf(
  { insecureOptions, uid, signal }: Asker,
  { image, files, source, signature }: FoundImage,
): Promise<(reference: string) => JudgeRequest> {
  const manifest = image.documents.get(image.digest);
  const given = new Map(signature === undefined ? [] : [[digestOf(signature), signature] as const]);
  const bySide = [...given.keys()].map(
    (digest): Signature => ({ kind: "simple-signing", signature: digest }),
  );
  const { digest, indexes = [] } = image;
  const inside = files === undefined ? [] : await signaturesInLayout(files, [digest, ...indexes]);
  const about = {
    transport: "file",
    digest,
    indexes,
    ...(manifest === undefined ? {} : { manifest }),
  } as const;
  return (reference) => ({
    subject: { ...about, name: nameOf(reference), reference },
    signatures: [...bySide, ...inside],
    blob: async (one, limit) => given.get(one) ?? (await readInside(files, one, limit)),
    ...{ source, insecureOptions, uid, signal },
  });
}

function nameOf(reference: string): string {
  const { registry, repository } = parseRepository(reference);
  return `${registry}/${repository}`;
}

/** The file that `--signature` names. Throws Usage when it is not there, BadImage for one that is too long. */
export async function readSignature(path: string): Promise<Buffer> {
  const bytes = await unlessMissing(readBounded(path, SIGNATURE_LIMIT));
  if (bytes !== undefined) return bytes;
  throw new GantryError("Usage", `there is no signature ${quoted(path)}`);
}

async function readInside(files: ImageFiles | undefined, digest: string, limit: number): Promise<Buffer> {
  const { algorithm, hex } = parseDigest(digest);
  const extent = await files?.extent(`blobs/${algorithm}/${hex}`);
  if (extent === undefined) throw new GantryError("BadImage", `blob ${digest} is not in the layout`);
  return await readExtent(extent, limit, `blob ${digest}`);
}
