/**
 * Signatures that lie in an OCI layout beside the image, as cosign writes them: an entry of the index whose name is made
 * of the digest, or one that refers to the digest. They are gathered, not believed.
 */
import * as z from "zod";
import type { ImageFiles } from "./archive.ts";
import { locateBlob, readBlob, readDocument } from "./layout.ts";
import { Descriptor, parseIndex, parseJson } from "./oci.ts";
import { SIGNATURES_LIMIT, Signature } from "./signature.ts";
import { cosignTag } from "./signed-payload.ts";

/** cosign's own names of what it keeps beside an image: `sha256-<hex>.sig`, `.att`, `.sbom`. */
export const COMPANION = /^sha256-[0-9a-f]{64}\.(sig|att|sbom)$/;

const REF_NAME = "org.opencontainers.image.ref.name";
const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle(\.v\d+(\.\d+)*)?\+json/;
const COSIGN_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json";
const COSIGN_SIGNATURE = ["dev.cosignproject.cosign/signature", "dev.sigstore.cosign/signature"];

const Artifact = z.object({
  layers: z.array(Descriptor).max(1000),
  subject: z.object({ digest: z.string() }).optional(),
});

/** Those of any of `digests`. Throws BadImage, DigestMismatch for a layout that lies about what it lists. */
export async function signaturesInLayout(
  files: ImageFiles,
  digests: readonly string[],
): Promise<Signature[]> {
  const what = `index.json of ${files.path}`;
  const index = parseIndex(await readDocument(files, "index.json"), what);
  const tags = digests.map(cosignTag);
  const found: Signature[] = [];
  for (const entry of index.manifests) {
    const isTagged = tags.includes(entry.annotations?.[REF_NAME] ?? "");
    if (!isTagged && !BUNDLE.test(entry.artifactType ?? "")) continue;
    const artifact = Artifact.safeParse(
      parseJson(await readBlob(files, entry, "signature manifest"), entry.digest),
    );
    if (!artifact.success || (!isTagged && !digests.includes(artifact.data.subject?.digest ?? ""))) continue;
    for (const layer of artifact.data.layers) {
      const signature = await signatureOf(files, layer);
      if (signature !== undefined) found.push(signature);
    }
    // One more than the limit tells the judge that there are too many.
    if (found.length > SIGNATURES_LIMIT) break;
  }
  return found.slice(0, SIGNATURES_LIMIT + 1);
}

async function signatureOf(files: ImageFiles, layer: Descriptor): Promise<Signature | undefined> {
  const { mediaType, digest, annotations } = layer;
  const text = COSIGN_SIGNATURE.map((name) => annotations?.[name]).find((value) => value !== undefined);
  if (mediaType === COSIGN_PAYLOAD && text !== undefined) {
    await locateBlob(files, layer, "payload");
    return checked({ kind: "cosign", payload: digest, signature: text });
  }
  if (!BUNDLE.test(mediaType)) return undefined;
  await locateBlob(files, layer, "bundle");
  return checked({ kind: "sigstore-bundle", bundle: digest });
}

/** What can't be a signature, such as one that is no base64, is none. */
function checked(candidate: object): Signature | undefined {
  const parsed = Signature.safeParse(candidate);
  return parsed.success ? parsed.data : undefined;
}
