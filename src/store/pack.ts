/** gantry-pack as the store uses it (docs/packer.md). */
import { join } from "node:path";
import * as z from "zod";
import { fileNameOf } from "../image/digest.ts";
import type { Operation } from "./operation.ts";
import { layerPath } from "./store.ts";
import { type Tools, useTool } from "./tool.ts";

export const COMPRESSIONS = ["none", "gzip", "zstd"] as const;
export type PackCompression = (typeof COMPRESSIONS)[number];

const Hex256 = z.string().regex(/^[0-9a-f]{64}$/);
export const PackReport = z.object({
  version: z.literal(1),
  ok: z.literal(true),
  archive: z.object({ size: z.int().nonnegative(), sha256: Hex256 }),
  diff: z.object({
    size: z.int().nonnegative(),
    sha256: Hex256,
    sha512: z.string().regex(/^[0-9a-f]{128}$/),
  }),
  entries: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  skipped: z.int().nonnegative(),
});

export type Packed = z.infer<typeof PackReport> & {
  /** Where the archive is, in the inbox. */
  readonly path: string;
};

export type PackOptions = {
  readonly tools: Tools;
  readonly signal?: AbortSignal | undefined;
};

export type PackRequest = {
  readonly verb: "layer" | "rootfs" | "aci";
  /** Diff ids, the lowest first. */
  readonly layers: readonly string[];
  readonly compression: PackCompression;
  /** A file with an ACI's manifest. */
  readonly manifest?: string;
  /** A file with the paths to keep, as digest lists write them. */
  readonly only?: string;
};

/** Packs layers of the store into the inbox. Throws StoreFull, Cancelled, Internal. */
export async function packLayers(
  operation: Operation,
  { verb, layers, compression, manifest, only }: PackRequest,
  { tools, signal }: PackOptions,
): Promise<Packed> {
  const part = `${verb}-${operation.nextNumber()}`;
  const into = await operation.makeDirectory(`pack-${part}`);
  const trees = layers.map((layer) => layerPath(operation.store, layer));
  const files = [manifest, only].filter((file) => file !== undefined);
  const words = [
    verb,
    `--compression=${compression}`,
    ...(manifest === undefined ? [] : [`--manifest=${manifest}`]),
    ...(only === undefined ? [] : [`--only=${only}`]),
    ...trees,
  ];
  await operation.relyOn(layers.map(fileNameOf));
  const run = {
    program: "gantry-pack",
    operation: operation.id,
    part,
    into,
    words,
    reads: [...trees, ...files],
    signal,
  } as const;
  const what = layers.length === 1 ? `layer ${layers[0]}` : `${layers.length} layers`;
  const report = await useTool(tools, run, { what, success: PackReport });
  return { ...report, path: join(into, "data") };
}
