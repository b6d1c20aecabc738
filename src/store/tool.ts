/** The programs that read layers and write into one directory of the inbox: gantry-pack and gantry-audit (docs/packer.md, docs/auditor.md). */
import { join } from "node:path";
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { readBounded, unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import type { UnpackEnd } from "./unpacker.ts";

export type ToolRun = {
  readonly program: "gantry-pack" | "gantry-audit";
  /** Names the unit: `<program>-<operation>-<part>.service`. */
  readonly operation: string;
  readonly part: string;
  /** An empty directory. */
  readonly into: string;
  /** Behind `--into=`. */
  readonly words: readonly string[];
  /** What it reads: directories and files. */
  readonly reads: readonly string[];
  readonly signal?: AbortSignal | undefined;
};

/** Runs a tool to its end, which an aborted signal brings nearer. What it found is in its report. */
export type Tools = (run: ToolRun) => Promise<UnpackEnd>;

/** The arguments that mean `run`. */
export function toolArguments({ words: [verb = "", ...words], into }: ToolRun): string[] {
  return verb.startsWith("-") ? [`--into=${into}`, verb, ...words] : [verb, `--into=${into}`, ...words];
}

const Failure = z.object({
  version: z.literal(1),
  ok: z.literal(false),
  kind: z.enum(["BadImage", "StoreFull", "Internal"]),
  text: z.string(),
});

const REPORT_LIMIT = 16 * 1024 * 1024;

/** Runs a tool and reads the report of its success. Throws what the report says, with `what` in front, Cancelled, Internal. */
export async function useTool<T>(
  tools: Tools,
  run: ToolRun,
  { what, success }: { readonly what: string; readonly success: z.ZodType<T> },
): Promise<T> {
  const end = await runToEnd(tools, run, what);
  const bytes = await unlessMissing(readBounded(join(run.into, "report"), REPORT_LIMIT));
  if ("killed" in end)
    throw new GantryError("Internal", `${run.program} of ${what} was stopped: ${end.killed}`);
  if (bytes === undefined) throw new GantryError("Internal", `${run.program} of ${what} left no report`);
  const report = parseReport(bytes, z.union([success, Failure]), what);
  if (!isFailure(report)) return report;
  const where = report.kind === "StoreFull" ? `no space is left in ${quoted(run.into)}: ` : "";
  throw new GantryError(report.kind, `${where}${what}: ${report.text}`);
}

async function runToEnd(tools: Tools, run: ToolRun, what: string): Promise<UnpackEnd> {
  const cancelled = (cause?: unknown) =>
    new GantryError("Cancelled", `the work on ${what} was cancelled`, { cause });
  if (run.signal?.aborted) throw cancelled();
  try {
    return await tools(run);
  } catch (error) {
    throw run.signal?.aborted ? cancelled(error) : error;
  }
}

function parseReport<T>(bytes: Buffer, schema: z.ZodType<T>, what: string): T {
  try {
    return schema.parse(JSON.parse(bytes.toString()));
  } catch (cause) {
    throw new GantryError("Internal", `the report about ${what} can't be read`, { cause });
  }
}

function isFailure(report: unknown): report is z.infer<typeof Failure> {
  return (report as { readonly ok?: unknown }).ok === false;
}
