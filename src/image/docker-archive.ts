/** The archive that `docker save` writes: manifest.json, configurations, layers as plain tars. */
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { compressionOfExtent, type Extent, type ImageFiles } from "./archive.ts";
import { digestOf } from "./hashing.ts";
import { readDocument } from "./layout.ts";
import { checked, parseConfiguration, parseJson } from "./oci.ts";
import { configurationFacts, type SourceImage, type SourceLayer } from "./source.ts";
import { canonicalName } from "./source-name.ts";

const Manifest = z
  .array(
    z.object({
      Config: z.string(),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string()).min(1).max(500),
    }),
  )
  .min(1)
  .max(1000);
type SavedImage = z.infer<typeof Manifest>[number];

/**
 * Finds the image that `ref` selects (a name, or `@N` for the Nth) and verifies its configuration. Throws BadImage,
 * DigestMismatch, Unsupported, NoSuchImage, AmbiguousName.
 */
export async function readDockerArchive(files: ImageFiles, ref: string | undefined): Promise<SourceImage> {
  const what = `manifest.json of ${quoted(files.path)}`;
  const images = checked(Manifest, parseJson(await readDocument(files, "manifest.json"), what), what);
  const image = selectImage(images, ref, files.path);
  const bytes = await readConfiguration(files, image);
  const digest = digestOf(bytes);
  const configuration = parseConfiguration(bytes, `configuration ${digest}`, image.Layers.length);
  return {
    kind: "docker",
    names: (image.RepoTags ?? []).map(canonicalName).filter((name) => name !== undefined),
    digest,
    configDigest: digest,
    ...configurationFacts(configuration, `configuration ${digest}`),
    annotations: {},
    layers: await locateLayers(files, image, configuration.rootfs.diff_ids),
    documents: new Map([[digest, bytes]]),
  };
}

function selectImage(images: readonly SavedImage[], ref: string | undefined, path: string): SavedImage {
  const [first, ...others] = images;
  if (ref === undefined && others.length === 0 && first !== undefined) return first;
  const offered = images.map((image, at) => image.RepoTags?.[0] ?? `@${at}`).join(", ");
  if (ref === undefined) {
    const message = `${quoted(path)} holds ${images.length} images`;
    throw new GantryError("AmbiguousName", message, { hint: `add one of their names: ${offered}` });
  }
  const found = images.find((image, at) => ref === `@${at}` || namesImage(ref, image));
  if (found !== undefined) return found;
  const message = `${quoted(path)} holds no image called ${quoted(ref)}`;
  throw new GantryError("NoSuchImage", message, { hint: `it holds ${offered}` });
}

function namesImage(ref: string, image: SavedImage): boolean {
  const wanted = canonicalName(ref);
  return (image.RepoTags ?? []).some(
    (tag) => tag === ref || (wanted !== undefined && canonicalName(tag) === wanted),
  );
}

async function readConfiguration(files: ImageFiles, image: SavedImage): Promise<Buffer> {
  checkMember(files, image.Config);
  const bytes = await readDocument(files, image.Config);
  // docker names the file by its digest; other tools may not.
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(image.Config)?.[1];
  const found = digestOf(bytes);
  if (hex === undefined || found === `sha256:${hex}`) return bytes;
  throw new GantryError("DigestMismatch", `configuration ${quoted(image.Config)} has digest ${found}`);
}

async function locateLayers(
  files: ImageFiles,
  image: SavedImage,
  diffIds: readonly string[],
): Promise<SourceLayer[]> {
  const layers: SourceLayer[] = [];
  for (const [at, name] of image.Layers.entries()) {
    checkMember(files, name);
    const extent = await files.extent(name);
    if (extent === undefined) {
      throw new GantryError("BadImage", `${quoted(files.path)} has no layer ${quoted(name)}`);
    }
    layers.push(await layerAt(extent, diffIds[at] ?? ""));
  }
  return layers;
}

async function layerAt(extent: Extent, diffId: string): Promise<SourceLayer> {
  const compression = await compressionOfExtent(extent);
  const plain = compression === undefined;
  return {
    diffId,
    // A plain tar is what the diff id is the digest of.
    ...(plain ? { digest: diffId } : {}),
    size: extent.length,
    mediaType: `application/vnd.docker.image.rootfs.diff.tar${plain ? "" : `.${compression}`}`,
    extent,
  };
}

/** Names of members come from the image: a path that climbs is an attempt, not a mistake. */
function checkMember(files: ImageFiles, name: string): void {
  if (!name.startsWith("/") && !name.split("/").includes("..") && name !== "") return;
  throw new GantryError(
    "BadImage",
    `manifest.json of ${quoted(files.path)} has the bad path ${quoted(name)}`,
  );
}
