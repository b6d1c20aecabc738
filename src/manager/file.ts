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
import type { Judged } from "../trust/subject.ts";
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

/** Throws as the judge does. */
export async function judgeFile(
  { judge, insecureOptions, uid, signal }: Pick<AciFetch, "judge" | "insecureOptions" | "uid" | "signal">,
  { image, files, source, signature }: FoundImage,
): Promise<Judged> {
  const [reference = NAMELESS] = image.names;
  const { registry, repository } = parseRepository(reference);
  const manifest = image.documents.get(image.digest);
  const given = new Map(signature === undefined ? [] : [[digestOf(signature), signature] as const]);
  const bySide = [...given.keys()].map(
    (digest): Signature => ({ kind: "simple-signing", signature: digest }),
  );
  const { indexes = [] } = image;
  const inside = files === undefined ? [] : await signaturesInLayout(files, [image.digest, ...indexes]);
  return await judge({
    subject: {
      transport: "file",
      name: `${registry}/${repository}`,
      reference,
      digest: image.digest,
      indexes,
      ...(manifest === undefined ? {} : { manifest }),
    },
    signatures: [...bySide, ...inside],
    blob: async (digest, limit) => given.get(digest) ?? (await readInside(files, digest, limit)),
    source,
    insecureOptions,
    uid,
    signal,
  });
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
