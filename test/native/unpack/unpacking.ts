/** gantry-unpack in a directory of its own, and what it left there. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type RawEntry, rawTar } from "../../fixtures/ustar.ts";

const BUILD = process.env["GANTRY_NATIVE"] ?? join(import.meta.dirname, "../../../build/native");
export const UNPACK = join(BUILD, "unpack/gantry-unpack");

export type Report = {
  readonly ok: boolean;
  readonly kind?: string;
  readonly text?: string;
  readonly compressed?: { size: number; sha256: string };
  readonly diff?: { size: number; sha256: string; sha512?: string };
  readonly entries?: number;
  readonly paths?: number;
  readonly bytes?: number;
  readonly skipped?: number;
  readonly manifest?: string;
};

export type Unpacked = {
  readonly status: number | null;
  readonly signal: string | null;
  readonly into: string;
  readonly tree: string;
  readonly report: Report;
  /** Lines of the digest list, without the last one, the totals. */
  readonly list: readonly string[];
};

export type UnpackOptions = {
  readonly verb?: "layer" | "aci" | "decompress";
  readonly options?: readonly string[];
  /** Through a pipe instead of a file. */
  readonly pipe?: boolean;
  /** Commands in front, such as strace. */
  readonly prefix?: readonly string[];
  readonly into?: string;
};

/** An empty directory that goes when the test ends. */
export function temporary(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "gantry-unpack-"));
  // Node's own removal recurses, and some of these trees are 2048 directories deep.
  t.after(() => execFileSync("rm", ["-rf", path]));
  return path;
}

/** Runs gantry-unpack over `archive`: bytes, or the path of a file. */
export function unpack(t: TestContext, archive: Buffer | string, options: UnpackOptions = {}): Unpacked {
  const into = options.into ?? temporary(t);
  const command = [
    ...(options.prefix ?? []),
    UNPACK,
    options.verb ?? "layer",
    `--into=${into}`,
    ...(options.options ?? []),
  ];
  const { status, signal } = run(t, command, archive, options.pipe ?? false);
  return { status, signal, into, tree: join(into, "tree"), report: reportIn(into), list: listIn(into) };
}

/** A layer of hand-made entries. */
export function unpackRaw(
  t: TestContext,
  entries: readonly RawEntry[],
  options: UnpackOptions = {},
): Unpacked {
  return unpack(t, rawTar(entries), options);
}

/** The same, which must succeed. */
export function unpackWell(
  t: TestContext,
  archive: Buffer | string | readonly RawEntry[],
  options: UnpackOptions = {},
): Unpacked {
  const bytes = Buffer.isBuffer(archive) || typeof archive === "string" ? archive : rawTar(archive);
  const unpacked = unpack(t, bytes, options);
  assert.equal(unpacked.report.text, undefined);
  assert.equal(unpacked.status, 0);
  return unpacked;
}

/** The same, which must fail with this kind and text and leave nothing but the report. */
export function assertRefused(unpacked: Unpacked, kind: string, text: RegExp): void {
  assert.equal(unpacked.status, 1);
  assert.equal(unpacked.report.ok, false);
  assert.match(unpacked.report.text ?? "", text);
  assert.equal(unpacked.report.kind, kind);
  assert.deepEqual(readdirSync(unpacked.into), ["report"]);
}

function run(t: TestContext, command: readonly string[], archive: Buffer | string, pipe: boolean) {
  const [program = "", ...args] = command;
  if (pipe) {
    const input = typeof archive === "string" ? readFileSync(archive) : archive;
    return spawnSync(program, args, { input, stdio: ["pipe", "ignore", "pipe"] });
  }
  const path = typeof archive === "string" ? archive : join(temporary(t), "archive");
  if (typeof archive !== "string") writeFileSync(path, archive);
  const fd = openSync(path, "r");
  try {
    return spawnSync(program, args, { stdio: [fd, "ignore", "pipe"] });
  } finally {
    closeSync(fd);
  }
}

function reportIn(into: string): Report {
  const text = optional(join(into, "report"));
  return text === undefined ? { ok: false, text: "no report" } : JSON.parse(text);
}

function listIn(into: string): string[] {
  return (optional(join(into, "digests")) ?? "")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("t "));
}

function optional(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Every path of a tree with what it is: "d 755", "f 644 content", "l target", "c 1:3", "w" for a whiteout, "p". */
export function survey(tree: string): Record<string, string> {
  const names = readdirSync(tree, { recursive: true, encoding: "utf8" });
  return Object.fromEntries(names.toSorted().map((name) => [name, describe(join(tree, name))]));
}

function describe(path: string): string {
  const st = lstatSync(path);
  const mode = (st.mode & 0o7777).toString(8);
  if (st.isDirectory()) return `d ${mode}${isOpaque(path) ? " opaque" : ""}`;
  if (st.isFile()) return `f ${mode} ${readFileSync(path, "latin1")}`;
  if (st.isSymbolicLink()) return `l ${readlinkSync(path)}`;
  if (st.isFIFO()) return `p ${mode}`;
  const device = `${(st.rdev >> 8) & 0xfff}:${st.rdev & 0xff}`;
  if (st.isCharacterDevice() && st.rdev === 0) return "w";
  return `${st.isBlockDevice() ? "b" : "c"} ${mode} ${device}`;
}

export function isOpaque(path: string): boolean {
  return attribute(path, "user.overlay.opaque") === "0x79";
}

/** The value of an extended attribute in hexadecimal, undefined if it is not there. */
export function attribute(path: string, name: string): string | undefined {
  return attributes(path)[name];
}

/** All extended attributes of a path itself, in hexadecimal. */
export function attributes(path: string): Record<string, string> {
  const args = ["--no-dereference", "--absolute-names", "--dump", "--match=-", "--encoding=hex", path];
  const lines = execFileSync("getfattr", args, { encoding: "utf8" }).split("\n");
  return Object.fromEntries(lines.filter((line) => line.includes("=")).map((line) => line.split("=", 2)));
}
