/** gantry-unpack as the store sees it (docs/unpacker.md): a request, and the report it ends with. */
import { stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { readBounded, unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import type { Extent } from "../image/archive.ts";

/** A FIFO that the archive comes through while it is unpacked; somebody holds it open for reading and writing. */
export type Pipe = { readonly pipe: string; readonly size: number };

export type UnpackRequest = {
  readonly verb: "layer" | "aci" | "decompress";
  /** Names the unit: `gantry-unpack-<operation>-<part>.service`. */
  readonly operation: string;
  readonly part: string;
  /** An empty directory. */
  readonly into: string;
  readonly archive: Extent | Pipe;
  /** Digest of the archive as it is, and of its tar. */
  readonly digest?: string | undefined;
  readonly diffId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** What an archive must be. */
export type Description = Pick<UnpackRequest, "digest" | "diffId"> & { readonly archive: Extent | Pipe };

/** How a run of gantry-unpack ended: its exit status, or what systemd or the kernel did to it. */
export type UnpackEnd = { readonly status: number } | { readonly killed: string };

/** Runs gantry-unpack to its end, which an aborted signal brings nearer. What it found is in its report. */
export type Unpacker = (request: UnpackRequest) => Promise<UnpackEnd>;

const Hex256 = z.string().regex(/^[0-9a-f]{64}$/);
const Failure = z.object({
  version: z.literal(1),
  ok: z.literal(false),
  kind: z.enum(["BadImage", "DigestMismatch", "StoreFull", "Internal"]),
  text: z.string(),
});
const Success = z.object({
  version: z.literal(1),
  ok: z.literal(true),
  compressed: z.object({ size: z.int().nonnegative(), sha256: Hex256 }),
  diff: z.object({
    size: z.int().nonnegative(),
    sha256: Hex256,
    sha512: z
      .string()
      .regex(/^[0-9a-f]{128}$/)
      .optional(),
  }),
  /** Names of the tree. */
  paths: z.int().nonnegative().default(0),
  bytes: z.int().nonnegative().default(0),
  manifest: z.string().optional(),
});
const Report = z.discriminatedUnion("ok", [Success, Failure]);
export type UnpackReport = z.infer<typeof Success>;

// An ACI's manifest is in it.
const REPORT_LIMIT = 16 * 1024 * 1024;

/**
 * Unpacks and returns the report of the success. Throws what the report says (BadImage, DigestMismatch, StoreFull,
 * Internal), with `what` in front, and Internal when there is none.
 */
export async function unpack(
  unpacker: Unpacker,
  request: UnpackRequest,
  what: string,
): Promise<UnpackReport> {
  const end = await runToEnd(unpacker, request, what);
  const bytes = await unlessMissing(readBounded(join(request.into, "report"), REPORT_LIMIT));
  if ("killed" in end)
    throw new GantryError("Internal", `the unpacker of ${what} was stopped: ${end.killed}`);
  if (bytes === undefined || bytes.length === 0) throw await noReport(request, end.status, what);
  const report = parseReport(bytes, what);
  if (report.ok && end.status === 0) return report;
  if (report.ok) throw new GantryError("Internal", `the unpacker of ${what} ended with status ${end.status}`);
  const where = report.kind === "StoreFull" ? `no space is left in ${quoted(request.into)}: ` : "";
  throw new GantryError(report.kind, `${where}${what}: ${report.text}`);
}

async function runToEnd(unpacker: Unpacker, request: UnpackRequest, what: string): Promise<UnpackEnd> {
  const cancelled = (cause?: unknown) =>
    new GantryError("Cancelled", `the import of ${what} was cancelled`, { cause });
  if (request.signal?.aborted) throw cancelled();
  try {
    return await unpacker(request);
  } catch (error) {
    throw request.signal?.aborted ? cancelled(error) : error;
  }
}

/** The file that is the unpacker's standard input. */
export function archivePath({ archive }: UnpackRequest): string {
  return "pipe" in archive ? archive.pipe : archive.path;
}

/** The arguments that mean `request`. */
export async function unpackArguments(request: UnpackRequest): Promise<string[]> {
  return [request.verb, `--into=${request.into}`, ...(await describingArguments(request))];
}

/** Those of them that describe the archive. */
export async function describingArguments({ archive, digest, diffId }: Description): Promise<string[]> {
  return [
    ...(await partArguments(archive)),
    ...(digest === undefined ? [] : [`--expect-digest=${digest}`]),
    ...(diffId === undefined ? [] : [`--expect-diff=${diffId}`]),
  ];
}

async function partArguments(archive: Extent | Pipe): Promise<string[]> {
  // The end of a FIFO that is held open never comes: the length says where it is.
  if ("pipe" in archive) return [`--length=${archive.size}`, `--expect-size=${archive.size}`];
  const { path, offset, length } = archive;
  const whole = offset === 0 && (await stat(path)).size === length;
  return [...(whole ? [] : [`--offset=${offset}`, `--length=${length}`]), `--expect-size=${length}`];
}

function parseReport(bytes: Buffer, what: string): z.infer<typeof Report> {
  try {
    return Report.parse(JSON.parse(bytes.toString()));
  } catch (cause) {
    throw new GantryError("Internal", `the unpacker of ${what} wrote a report that can't be read`, { cause });
  }
}

/** A report needs a few bytes of disk; on a disk without them the directory's own write is the evidence. */
async function noReport(request: UnpackRequest, status: number, what: string): Promise<GantryError> {
  const { bavail, ffree } = await statfs(request.into);
  if (bavail === 0 || ffree === 0)
    return new GantryError("StoreFull", `no space is left in ${quoted(request.into)}`);
  return new GantryError("Internal", `the unpacker of ${what} ended with status ${status} and no report`, {
    hint: `journalctl -u gantry-unpack-${request.operation}-${request.part}`,
  });
}
