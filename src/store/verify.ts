/** An image against what its record says: every layer's tree against its digest list, blobs against their digests. */
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { exists } from "../base/file.ts";
import { printable } from "../base/text.ts";
import { fileNameOf } from "../image/digest.ts";
import type { ImageLayer, ImageRecord, Verdict } from "../image/record.ts";
import { signatureBlob } from "../image/signature.ts";
import { readStoredBlob } from "./blobs.ts";
import type { Operation } from "./operation.ts";
import { layerListPath, layerPath, type Store } from "./store.ts";
import { type Tools, useTool } from "./tool.ts";

/** One difference (docs/auditor.md); the path is percent-encoded. */
export const Finding = z.object({
  what: z.string(),
  path: z.string(),
  expected: z.string(),
  found: z.string(),
});
export type Finding = z.infer<typeof Finding>;

const AuditReport = z.object({
  version: z.literal(1),
  ok: z.literal(true),
  paths: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  disk: z.int().nonnegative(),
  differences: z.int().nonnegative(),
  findings: z.array(Finding),
});

export type LayerCheck = {
  readonly layer: string;
  /** Names of the tree, the sizes of its files, and what the file system has given to it. */
  readonly paths: number;
  readonly bytes: number;
  readonly disk: number;
  /** Of which the first thousand are told. */
  readonly differences: number;
  readonly findings: readonly Finding[];
};

export type ImageCheck = {
  readonly image: string;
  readonly names: readonly string[];
  readonly ok: boolean;
  readonly layers: readonly LayerCheck[];
  /** What is wrong with its blobs and its record, a sentence each. */
  readonly faults: readonly string[];
};

export type VerifyOptions = {
  readonly tools: Tools;
  readonly signal?: AbortSignal | undefined;
  /** Checks of layers that were made already: images share them. */
  readonly known?: Map<string, LayerCheck>;
};

/** Checks everything an image consists of; what differs is told, not thrown. Throws Cancelled, StoreFull, Internal. */
export async function verifyImage(
  operation: Operation,
  record: ImageRecord,
  options: VerifyOptions,
): Promise<ImageCheck> {
  const layers: LayerCheck[] = [];
  for (const { diffId } of record.layers) layers.push(await verifyLayer(operation, diffId, options));
  const sizes = record.layers.flatMap((layer, at) => sizeFaults(layer, layers[at]));
  const faults = [...sizes, ...(await blobFaults(operation.store, record))];
  const ok = faults.length === 0 && layers.every(({ differences }) => differences === 0);
  return { image: record.id, names: record.names, ok, layers, faults };
}

/** Checks one layer. Throws as verifyImage(). */
export async function verifyLayer(
  operation: Operation,
  diffId: string,
  { tools, signal, known }: VerifyOptions,
): Promise<LayerCheck> {
  const before = known?.get(diffId);
  if (before !== undefined) return before;
  const check =
    (await missingPart(operation.store, diffId)) ?? (await audit(operation, diffId, { tools, signal }));
  known?.set(diffId, check);
  return check;
}

async function missingPart({ directory }: Store, diffId: string): Promise<LayerCheck | undefined> {
  const store = { directory };
  const tree = await exists(layerPath(store, diffId));
  const list = await exists(layerListPath(store, diffId));
  if (tree && list) return undefined;
  const finding = { what: tree ? "list" : "missing", path: ".", expected: "", found: "" };
  return { layer: diffId, paths: 0, bytes: 0, disk: 0, differences: 1, findings: [finding] };
}

async function audit(
  operation: Operation,
  diffId: string,
  { tools, signal }: Pick<VerifyOptions, "tools" | "signal">,
): Promise<LayerCheck> {
  const part = `${fileNameOf(diffId).slice(0, 24)}-${operation.nextNumber()}`;
  const into = await operation.makeDirectory(`audit-${part}`);
  const [tree, list] = [layerPath(operation.store, diffId), layerListPath(operation.store, diffId)];
  const words = [`--list=${list}`, tree];
  const run = {
    program: "gantry-audit",
    operation: operation.id,
    part,
    into,
    words,
    reads: [tree, list],
    signal,
  } as const;
  const report = await useTool(tools, run, { what: `layer ${diffId}`, success: AuditReport });
  const { paths, bytes, disk, differences, findings } = report;
  return { layer: diffId, paths, bytes, disk, differences, findings };
}

/** Only of a tree that is whole can be said how large it is. */
function sizeFaults({ diffId, unpackedSize, entries }: ImageLayer, check: LayerCheck | undefined): string[] {
  if (check === undefined || check.differences > 0) return [];
  if (check.bytes === unpackedSize && check.paths === entries) return [];
  const [is, says] = [`${check.bytes} bytes in ${check.paths} entries`, `${unpackedSize} in ${entries}`];
  return [`layer ${diffId} has ${is}, the record says ${says}`];
}

async function blobFaults(store: Store, record: ImageRecord): Promise<string[]> {
  const faults: string[] = [];
  for (const digest of blobsOf(record)) {
    try {
      await readStoredBlob(store, digest);
    } catch (error) {
      if (!(error instanceof GantryError)) throw error;
      faults.push(`blob ${digest}: ${error.message}`);
    }
  }
  return faults;
}

/** The documents of an image, the signatures its verdicts rest on, and the indexes that led to it. */
export function blobsOf({ kind, digest, configDigest, verdict, verdicts }: ImageRecord): string[] {
  const manifest = kind === "oci" ? [digest] : [];
  const evidence = [verdict, ...verdicts.map((one) => one.verdict)].flatMap(evidenceOf);
  return [...new Set([...manifest, configDigest, ...evidence])];
}

function evidenceOf(verdict: Verdict): string[] {
  if (verdict.kind === "insecure") return [];
  const witnesses = verdict.kind === "signed" ? verdict.witnesses : [];
  return [...(verdict.indexes ?? []), ...witnesses.map(({ signature }) => signatureBlob(signature).digest)];
}

const WORDS: Readonly<Record<string, string>> = {
  missing: "is missing",
  added: "does not belong to the layer",
  type: "is another kind of thing",
  content: "has other content",
  target: "leads elsewhere",
  link: "is no name of its file any more",
  mode: "has another mode",
  owner: "has another owner",
  time: "has another time",
  device: "is another device",
  attributes: "has other attributes",
  opaque: "hides other things below it",
  unreadable: "can't be read",
  list: "has a damaged digest list",
};

/** A finding as a sentence that names the file. */
export function findingText({ what, path, expected, found }: Finding): string {
  const name = printable(decodeListPath(path));
  const details =
    expected !== "" && found !== ""
      ? ` (${found} instead of ${expected})`
      : found !== ""
        ? ` (${found})`
        : "";
  return `"${name}" ${WORDS[what] ?? `differs in its ${what}`}${details}`;
}

/** A path of a digest list; what is no UTF-8 is shown as the replacement character. */
function decodeListPath(path: string): string {
  const bytes = path.replace(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString();
}
