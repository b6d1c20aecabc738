/** A Debian base system, extracted by us and by others: the trees must be the same in everything stat can see. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { compress } from "../../fixtures/tar.ts";
import { debianTar } from "../../fixtures/trees.ts";
import { temporary, unpackWell } from "./unpacking.ts";

// What minbase lacks of what a layer may carry.
const EXTRAS = `
  setfattr -n user.note -v hello etc/hostname.new
  setcap cap_net_raw+ep usr/bin/ping.new
  mkfifo run/fifo
  ln -s -f /nowhere run/dangling
  ln etc/hostname.new run/hardlink
  touch -h -d '1969-07-20 20:17:40.25' run/dangling
  touch -d '2100-01-01 00:00:00.000000001' run/fifo
  chown 1000:2000 run/fifo
  truncate -s 5M run/sparse
  printf middle | dd of=run/sparse bs=1 seek=2000000 conv=notrunc status=none`;

/** Minbase and the extras as a tar, once with everything GNU tar can record. */
function archive(t: TestContext): string {
  const directory = temporary(t);
  const path = join(directory, "layer.tar");
  writeFileSync(path, debianTar());
  const root = join(directory, "root");
  mkdirSync(root);
  const script = `
    tar --numeric-owner -xpf ../layer.tar
    printf new >etc/hostname.new; printf ping >usr/bin/ping.new
    ${EXTRAS}
    tar --numeric-owner --format=pax --xattrs --xattrs-include='*' -S -cf ../layer.tar .`;
  execFileSync("sh", ["-ec", script], { cwd: root });
  return path;
}

/** Type, mode, owner, device, links, time, target and attributes of every path, and the digest of every file. */
function facts(tree: string): string[] {
  const script = `
    find . -printf '%p %y %#m %U %G %n %T@ %l\\n'
    find . -type c -exec stat -c '%n %t:%T' {} +
    find . -type f -exec sha256sum {} +
    find . -type f -size +1M -printf '%p %S\\n'
    getfattr -R -h -d -m - -e hex .`;
  const output = execFileSync("sh", ["-ec", script], { cwd: tree, encoding: "utf8", maxBuffer: 2 ** 28 });
  return output.split("\n").toSorted();
}

/** Lines that only one side has: theirs with a minus, ours with a plus. */
function differences(theirs: readonly string[], ours: readonly string[]): string[] {
  const [left, right] = [new Set(theirs), new Set(ours)];
  return [
    ...theirs.filter((line) => !right.has(line)).map((line) => `-${line}`),
    ...ours.filter((line) => !left.has(line)).map((line) => `+${line}`),
  ];
}

test("GNU tar and umoci agree with us about a Debian base system", { timeout: 300_000 }, (t) => {
  const path = archive(t);
  const ours = unpackWell(t, path);
  const expected = facts(ours.tree);
  assert.ok(expected.length > 15_000);

  const tarTree = temporary(t);
  const tarOptions = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "-xpf", path, "-C", tarTree];
  execFileSync("tar", tarOptions);
  assert.deepEqual(differences(facts(tarTree), expected), []);

  const umociTree = umoci(t, path);
  // umoci writes holes out, and counts a directory's links like everybody else.
  const withoutHoles = (lines: readonly string[]) => lines.filter((line) => !/^\.\S+ [\d.e-]+$/.test(line));
  assert.deepEqual(differences(withoutHoles(facts(umociTree)), withoutHoles(expected)), []);
});

function umoci(t: TestContext, layer: string): string {
  const directory = temporary(t);
  const script = `
    umoci init --layout oci
    umoci new --image oci:a
    umoci raw add-layer --image oci:a "$1"
    umoci unpack --image oci:a bundle`;
  execFileSync("sh", ["-ec", script, "sh", layer], { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  return join(directory, "bundle/rootfs");
}

test("the digest list is true, and complete", { timeout: 300_000 }, (t) => {
  const { tree, list, report } = unpackWell(t, compress(debianTar(), "zstd"));
  const script = "find . -type f -exec sha256sum {} +";
  const sums = execFileSync("sh", ["-c", script], { cwd: tree, encoding: "utf8", maxBuffer: 2 ** 26 });
  const found = new Map(sums.split("\n").map((line) => [line.slice(68), line.slice(0, 64)]));
  const files = list.map((line) => line.split(" ")).filter(([type]) => type === "f");
  assert.ok(files.length > 6000);
  for (const [, , , , , , digest = "", path = ""] of files)
    assert.equal(found.get(decodeURIComponent(path)), digest, path);
  const paths = execFileSync("find", [".", "-printf", "%P\\n"], {
    cwd: tree,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const listed = new Set(list.map((line) => decodeURIComponent(line.split(" ").at(-1) ?? "")));
  for (const path of paths.split("\n")) assert.ok(listed.has(path === "" ? "." : path), path);
  assert.equal(report.entries, list.length);
});
