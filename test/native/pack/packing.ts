/** gantry-pack in a directory of its own, and trees with everything that a layer may hold. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { temporary } from "../unpack/unpacking.ts";

const BUILD = process.env["GANTRY_NATIVE"] ?? join(import.meta.dirname, "../../../build/native");
export const PACK = join(BUILD, "pack/gantry-pack");

export type PackReport = {
  readonly ok: boolean;
  readonly kind?: string;
  readonly text?: string;
  readonly archive?: { size: number; sha256: string };
  readonly diff?: { size: number; sha256: string; sha512: string };
  readonly entries?: number;
  readonly bytes?: number;
  readonly skipped?: number;
};

export type Packed = {
  readonly status: number | null;
  readonly stderr: string;
  readonly into: string;
  /** The archive's path. */
  readonly data: string;
  readonly report: PackReport;
};

/** Runs gantry-pack over `trees`, the lowest first. */
export function pack(
  t: TestContext,
  verb: "layer" | "rootfs" | "aci",
  trees: readonly string[],
  options: readonly string[] = [],
): Packed {
  const into = temporary(t);
  const { status, stderr } = spawnSync(PACK, [verb, `--into=${into}`, ...options, ...trees], {
    encoding: "utf8",
  });
  const report = join(into, "report");
  return {
    ...{ status, stderr, into, data: join(into, "data") },
    report: existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : { ok: false, text: "no report" },
  };
}

/** The same, which must succeed. */
export function packWell(...args: Parameters<typeof pack>): Packed {
  const packed = pack(...args);
  assert.equal(packed.report.text, undefined);
  assert.equal(packed.status, 0, packed.stderr);
  return packed;
}

/** Runs a shell script in an empty directory, which is returned. */
export function treeOf(t: TestContext, script: string): string {
  const tree = join(temporary(t), "tree");
  execFileSync("sh", ["-ec", `umask 022; mkdir "$1"; cd "$1"; ${script}`, "sh", tree]);
  return tree;
}

/** An access control list as the kernel stores it: user::rw- user:1000:r-- group::r-- mask::rw- other::---. */
const LIST = "0200000001000600ffffffff02000400e803000004000400ffffffff10000600ffffffff20000000ffffffff";

/** Everything a layer may carry, but for deletions. */
export const EVERYTHING = `
  mkdir -p a/b bin "$(printf 'n\\303\\251\\377 x%%')"
  echo content >a/b/file; ln a/b/file a/hard; ln a/b/file zz
  ln -s /etc/passwd link; mkfifo fifo; mknod null c 1 3; mknod block b 7 1
  cp /bin/true bin/ping; chmod 4755 bin/ping; setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 bin/ping
  setfattr -n user.note -v hello a/b/file; setfattr -n user.empty a
  touch listed; chmod 640 listed; setfattr -n system.posix_acl_access -v 0x${LIST} listed
  mkdir shared; setfattr -n system.posix_acl_default -v 0x${LIST} shared
  echo x >"$(printf 'n\\303\\251\\377 x%%')/f"
  long=$(printf 'L%.0s' $(seq 200)); mkdir -p $long/$long/$long; echo deep >$long/$long/$long/file
  truncate -s 5M sparse; printf middle | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none
  truncate -s 3M holes
  touch -h -d '1969-07-20 20:17:40.25' link; touch -d '2100-01-01 00:00:00.000000001' fifo
  chown 3000000:1000 a/b; chmod 2750 a; chmod 1777 shared; chmod 000 a/b/file`;
