/** OCI archives of our own making: the files of a layout in one tar, the same for the same content. */
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import { digestOf } from "./hashing.ts";
import {
  configurationOf,
  indexOf,
  layerType,
  manifestOf,
  OCI_CONFIG,
  OCI_MANIFEST,
  type OciDescriptor,
} from "./oci-image.ts";
import type { Packed } from "./packed.ts";

export type OciParts = {
  /** A configuration whose diff ids are to be those of the layers. */
  readonly configuration: unknown;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly layers: readonly Packed[];
  readonly compression: "none" | "gzip" | "zstd";
  /** The name in the index. */
  readonly ref?: string | undefined;
};

/** A document or an archive on disk, to be a blob. */
type Blob = { readonly descriptor: OciDescriptor; readonly content: Buffer | string };

export type OciImage = {
  readonly manifest: Blob;
  readonly blobs: readonly Blob[];
  readonly ref?: string | undefined;
};

/** Puts an image together; its layers stay where they are. */
export function assembleImage({ configuration, annotations, layers, compression, ref }: OciParts): OciImage {
  const config = document(OCI_CONFIG, configurationOf(configuration, layers));
  const packed = layers.map(
    ({ path, archive }): Blob => ({
      descriptor: {
        mediaType: layerType(compression),
        digest: `sha256:${archive.sha256}`,
        size: archive.size,
      },
      content: path,
    }),
  );
  const descriptors = packed.map(({ descriptor }) => descriptor);
  const manifest = document(OCI_MANIFEST, manifestOf(config.descriptor, descriptors, annotations));
  return { manifest, blobs: [config, ...packed], ref };
}

/** A document as a blob. */
export function document(mediaType: string, value: unknown): Blob {
  const content = Buffer.from(JSON.stringify(value));
  return { descriptor: { mediaType, digest: digestOf(content), size: content.length }, content };
}

/** Writes images as one archive of a layout. */
export async function writeArchive(
  output: NodeJS.WritableStream,
  images: readonly OciImage[],
): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, output);
  const filled = fill(archive, images);
  // Whichever fails, the other ends by it.
  await Promise.all([written, filled.catch((error: Error) => archive.destroy(error))]);
  await filled;
}

async function fill(archive: Pack, images: readonly OciImage[]): Promise<void> {
  addBytes(archive, "oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  const manifests = images.map(({ manifest, ref }) => ({ descriptor: manifest.descriptor, ref }));
  addBytes(archive, "index.json", Buffer.from(JSON.stringify(indexOf(manifests))));
  const blobs = images.flatMap(({ manifest, blobs }) => [manifest, ...blobs]);
  const once = new Map(blobs.map((blob) => [blob.descriptor.digest, blob]));
  for (const { descriptor, content } of once.values()) {
    const name = `blobs/${descriptor.digest.replace(":", "/")}`;
    if (typeof content === "string") await addFile(archive, { name, size: descriptor.size, path: content });
    else addBytes(archive, name, content);
  }
  archive.finalize();
}

const EPOCH = new Date(0);

function addBytes(archive: Pack, name: string, content: Buffer): void {
  archive.entry({ name, mode: 0o644, mtime: EPOCH }, content);
}

async function addFile(
  archive: Pack,
  { name, size, path }: { readonly name: string; readonly size: number; readonly path: string },
): Promise<void> {
  const entry = archive.entry({ name, size, mode: 0o644, mtime: EPOCH });
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), entry);
}
