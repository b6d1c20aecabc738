/** gantry-pack against gantry-unpack, overlayfs and GNU tar. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { survey, temporary, unpackWell } from "../unpack/unpacking.ts";
import { EVERYTHING, PACK, pack, packWell, treeOf } from "./packing.ts";

/** What stat, readlink, getfattr and the contents say of every path. */
function facts(tree: string): string[] {
  const script = `
    find . -printf '%p %y %#m %U %G %T@ %l\\n'
    find . ! -type d -printf '%p %n links\\n'
    find . ! -type d -printf '%i %p\\n' | sort | awk '{ if ($1 == last) print first, $2; else { last = $1; first = $2 } }'
    find . -type c -exec stat -c '%n %t:%T' {} + -o -type b -exec stat -c '%n %t:%T' {} +
    find . -type f -exec sha256sum {} +
    getfattr -R -h -d -m - -e hex .`;
  const output = execFileSync("sh", ["-ec", script], { cwd: tree, encoding: "utf8", maxBuffer: 2 ** 28 });
  return output
    .split("\n")
    .filter((line) => !line.includes("security.selinux"))
    .toSorted();
}

function sha256(data: string): string {
  return execFileSync("sha256sum", [data], { encoding: "utf8" }).slice(0, 64);
}

test("an unpacked archive of a tree is that tree, in everything that can be seen", (t) => {
  const tree = treeOf(t, EVERYTHING);
  const { data } = packWell(t, "layer", [tree]);
  assert.deepEqual(facts(unpackWell(t, data).tree), facts(tree));
});

test("to unpack and pack again gives the same list and the same bytes", (t) => {
  const first = packWell(t, "layer", [
    treeOf(
      t,
      `${EVERYTHING}\n mkdir o; echo x >o/x; setfattr -n user.overlay.opaque -v y o; mknod a/gone c 0 0`,
    ),
  ]);
  const once = unpackWell(t, first.data);
  const second = packWell(t, "layer", [once.tree]);
  assert.equal(second.report.diff?.sha256, first.report.diff?.sha256);
  assert.deepEqual(unpackWell(t, second.data).list, once.list);
});

test("the same content makes the same archive, wherever and in whatever order it was written", (t) => {
  const one = treeOf(
    t,
    "echo a >a; mkdir d; echo x >d/x; echo y >d/y; truncate -s 1M z; find . -exec touch -h -d @1.5 {} +",
  );
  const other = treeOf(
    t,
    "dd if=/dev/zero of=z bs=1M count=1 status=none; mkdir d; echo y >d/y; echo x >d/x; echo a >a; find . -exec touch -h -d @1.5 {} +",
  );
  for (const compression of ["none", "gzip", "zstd"]) {
    const archives = [one, other].map((tree) =>
      packWell(t, "layer", [tree], [`--compression=${compression}`]),
    );
    assert.equal(archives[0]?.report.archive?.sha256, archives[1]?.report.archive?.sha256, compression);
  }
});

test("whiteouts and opaque directories become the files that OCI layers have", (t) => {
  const tree = treeOf(
    t,
    "mkdir o p; echo x >o/x; mknod p/gone c 0 0; setfattr -n user.overlay.opaque -v y o",
  );
  const { data } = packWell(t, "layer", [tree]);
  const names = execFileSync("tar", ["tf", data], { encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(names, ["./", "o/", "o/.wh..wh..opq", "o/x", "p/", "p/.wh.gone"]);
  assert.deepEqual(survey(unpackWell(t, data).tree), survey(tree));
});

const LAYERS = [
  "mkdir -p d/e o/below type keep; echo 1 >d/one; echo 1 >d/e/one; echo 1 >o/one; echo 1 >gone; echo 1 >both; mkdir was; echo 1 >was/file; ln -s d link; echo h >h1; ln h1 h2; echo 1 >keep/1",
  "mkdir -p d/e o was2; echo 2 >d/two; echo 2 >both; chmod 600 both; setfattr -n user.overlay.opaque -v y o; echo 2 >o/two; mknod gone c 0 0; echo file >type; mknod was c 0 0; chmod 700 d; echo 2 >h2",
  "mkdir -p d/e was again; echo 3 >d/e/three; mknod d/one c 0 0; mkdir o; echo 3 >o/three; echo 3 >was/new; mkdir type; echo 3 >type/in",
];

test("several layers are packed as overlayfs shows them", (t) => {
  const trees = LAYERS.map((script) => treeOf(t, script));
  const merged = unpackWell(t, packWell(t, "rootfs", trees).data);
  const mount = temporary(t);
  const script = `mount -t overlay -o ro,userxattr,lowerdir="$1" none "$2"; cp -a "$2/." "$3"`;
  const copy = join(temporary(t), "copy");
  mkdirSync(copy);
  const lower = trees.toReversed().join(":");
  execFileSync("unshare", ["--mount", "sh", "-ec", script, "sh", lower, mount, copy]);
  // cp sets the times of directories last, and the root's is its own matter.
  const withoutRoot = (lines: readonly string[]) => lines.filter((line) => !line.startsWith(". d "));
  assert.deepEqual(withoutRoot(facts(merged.tree)), withoutRoot(facts(copy)));
  assert.equal(readdirSync(merged.tree).includes("gone"), false);
});

test("an ACI has its manifest first and everything else below rootfs", (t) => {
  const manifest = join(temporary(t), "manifest");
  writeFileSync(manifest, '{"acKind":"ImageManifest"}');
  const tree = treeOf(t, EVERYTHING);
  const packed = packWell(t, "aci", [tree], [`--manifest=${manifest}`]);
  const names = execFileSync("tar", ["tf", packed.data], { encoding: "utf8" }).split("\n");
  assert.deepEqual(names.slice(0, 2), ["manifest", "rootfs/"]);
  const unpacked = unpackWell(t, packed.data, { verb: "aci" });
  assert.equal(unpacked.report.manifest, '{"acKind":"ImageManifest"}');
  assert.deepEqual(facts(unpacked.tree), facts(tree));
});

test("the report tells sizes and digests of what was written and of the tar within", (t) => {
  const tree = treeOf(t, "echo hello >file");
  for (const compression of ["none", "gzip", "zstd"]) {
    const { data, report } = packWell(t, "layer", [tree], [`--compression=${compression}`]);
    const bytes = readFileSync(data);
    assert.deepEqual(report.archive, { size: bytes.length, sha256: sha256(data) });
    const plain = plainOf(t, data, compression);
    assert.equal(report.diff?.sha256, sha256(plain));
    assert.equal(report.diff?.size, readFileSync(plain).length);
    assert.deepEqual([report.entries, report.bytes, report.skipped], [2, 6, 0]);
  }
});

function plainOf(t: TestContext, data: string, compression: string): string {
  const plain = join(temporary(t), "plain");
  if (compression === "none") return data;
  const tool = compression === "gzip" ? "zcat" : "zstdcat";
  writeFileSync(plain, execFileSync("sh", ["-c", `${tool} <"$1"`, "sh", data]));
  return plain;
}

test("holes take no place in the archive, and are holes again", (t) => {
  const { data, report } = packWell(t, "layer", [
    treeOf(t, "truncate -s 64M large; echo end >>large; truncate -s 1M whole"),
  ]);
  assert.ok((report.archive?.size ?? 0) < 200_000, String(report.archive?.size));
  const { tree } = unpackWell(t, data);
  const blocks = execFileSync("stat", ["-c", "%s %b", join(tree, "large"), join(tree, "whole")], {
    encoding: "utf8",
  });
  const [large, whole] = blocks
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number));
  assert.deepEqual([large?.[0], whole?.[0]], [2 ** 26 + 4, 2 ** 20]);
  assert.ok((large?.[1] ?? 0) < 1000 && whole?.[1] === 0, blocks);
});

test("every entry belongs to whom --owner says, and --only keeps the listed paths and what is above them", (t) => {
  const tree = treeOf(t, "mkdir -p a/b c; touch a/b/f a/b/g a/x 'c/s p' ab a-; chown -R 5:6 .");
  const list = join(temporary(t), "list");
  writeFileSync(list, "a/b/f\nc/s%20p\n");
  const { data } = packWell(t, "rootfs", [tree], ["--owner=0:7", `--only=${list}`]);
  const rows = execFileSync("tar", ["tvf", data, "--numeric-owner"], { encoding: "utf8" }).trim().split("\n");
  const found = rows
    .map((row) => row.split(/ +/))
    .map(([, owner, , , , ...name]) => `${owner} ${name.join(" ")}`);
  assert.deepEqual(found, ["0/7 ./", "0/7 a/", "0/7 a/b/", "0/7 a/b/f", "0/7 c/", "0/7 c/s p"]);
});

test("a socket is left out and counted", (t) => {
  const tree = treeOf(t, `python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("s")'; touch f`);
  const { data, report } = packWell(t, "layer", [tree]);
  assert.equal(report.skipped, 1);
  assert.deepEqual(Object.keys(survey(unpackWell(t, data).tree)), ["f"]);
});

test("a path that is too long for any layer, a missing tree and a disk without room are told", (t) => {
  const deep = treeOf(
    t,
    `python3 -c 'import os
for _ in range(17): os.mkdir("d" * 250); os.chdir("d" * 250)'`,
  );
  const long = pack(t, "layer", [deep]);
  assert.deepEqual([long.status, long.report.kind], [1, "BadImage"]);
  assert.match(long.report.text ?? "", /is longer than 4096 bytes/);
  assert.deepEqual(readdirSync(long.into), ["report"]);
  const missing = pack(t, "layer", ["/nowhere/at/all"]);
  assert.deepEqual([missing.status, missing.report.kind], [1, "Internal"]);
  assert.match(missing.report.text ?? "", /"\/nowhere\/at\/all".*No such file/);
  const tree = treeOf(t, "dd if=/dev/urandom of=f bs=1M count=4 status=none");
  const script = `mount -t tmpfs -o size=1m none "$3"; "$1" layer --into="$3" "$2"; cat "$3/report"; ls "$3"`;
  const full = spawnSync("unshare", ["--mount", "sh", "-c", script, "sh", PACK, tree, temporary(t)], {
    encoding: "utf8",
  });
  assert.match(full.stdout, /"kind":"StoreFull".*\nreport\n$/s);
});

test("a wrong command line is a usage error without a report", (t) => {
  for (const words of [
    ["layer"],
    ["layer", "a", "b"],
    ["aci", "a"],
    ["layer", "--manifest=x", "a"],
    ["rootfs", "--owner=1", "a"],
    ["x", "a"],
  ]) {
    const into = temporary(t);
    const { status, stderr } = spawnSync(PACK, [`--into=${into}`, ...words], { encoding: "utf8" });
    assert.deepEqual([status, readdirSync(into)], [2, []], words.join(" "));
    assert.match(stderr, /^gantry-pack: .*usage: gantry-pack/);
  }
});

test("a caller without privileges packs what he can read", (t) => {
  const tree = treeOf(t, "touch f; chown -R 65534:65534 .");
  const into = temporary(t);
  execFileSync("chown", ["65534", into]);
  const run = (...more: string[]) =>
    spawnSync(
      "setpriv",
      ["--reuid=65534", "--regid=65534", "--clear-groups", PACK, "layer", `--into=${into}`, ...more, tree],
      {
        encoding: "utf8",
      },
    );
  execFileSync("chmod", ["-R", "a+rX", join(tree, "..")]);
  const refused = run();
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /cannot change the root directory/);
  assert.deepEqual([run("--as-caller").status, readdirSync(into).includes("data")], [0, true]);
});
