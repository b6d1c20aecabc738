/** Deletions: `.wh.NAME` and `.wh..wh..opq` become overlayfs's own marks. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import type { RawEntry } from "../../fixtures/ustar.ts";
import { assertRefused, isOpaque, survey, unpackRaw, unpackWell } from "./unpacking.ts";

const cases: { name: string; entries: RawEntry[]; tree: Record<string, string> }[] = [
  {
    name: "a whiteout is a character device 0:0, its parents are made",
    entries: [{ name: "d/.wh.gone" }],
    tree: { d: "d 755", "d/gone": "w" },
  },
  {
    name: "a file of the same layer survives, listed before",
    entries: [{ name: "d/kept", body: "x" }, { name: "d/.wh.kept" }],
    tree: { d: "d 755", "d/kept": "f 644 x" },
  },
  {
    name: "a file of the same layer survives, listed after",
    entries: [{ name: "d/.wh.kept" }, { name: "d/kept", body: "x" }],
    tree: { d: "d 755", "d/kept": "f 644 x" },
  },
  {
    name: "a directory deleted and made again hides the old one's children",
    entries: [{ name: ".wh.d" }, { name: "d/", type: "5", mode: 0o700 }, { name: "d/new", body: "x" }],
    tree: { d: "d 700 opaque", "d/new": "f 644 x" },
  },
  {
    name: "a symlink of the same layer survives, and is not followed",
    entries: [{ name: "d/", type: "5" }, { name: "link", type: "2", linkname: "d" }, { name: ".wh.link" }],
    tree: { d: "d 755", link: "l d" },
  },
  {
    name: "an opaque mark holds when it comes first",
    entries: [
      { name: "d/.wh..wh..opq" },
      { name: "d/", type: "5", mode: 0o711 },
      { name: "d/new", body: "x" },
    ],
    tree: { d: "d 711 opaque", "d/new": "f 644 x" },
  },
  {
    name: "an opaque mark holds when it comes last",
    entries: [{ name: "d/", type: "5" }, { name: "d/new", body: "x" }, { name: "d/.wh..wh..opq" }],
    tree: { d: "d 755 opaque", "d/new": "f 644 x" },
  },
  {
    name: "a whiteout in a directory named like one",
    entries: [{ name: ".wh.x/.wh.y" }],
    tree: { ".wh.x": "d 755", ".wh.x/y": "w" },
  },
  {
    name: "a whiteout whose directory a later entry replaced is pointless",
    entries: [{ name: "d/.wh.gone" }, { name: "d", body: "file" }],
    tree: { d: "f 644 file" },
  },
  {
    name: "an opaque directory that a later entry replaced is no directory",
    entries: [{ name: "d/.wh..wh..opq" }, { name: "d", type: "2", linkname: "e" }],
    tree: { d: "l e" },
  },
  {
    name: "both for one name",
    entries: [{ name: "d/.wh..wh..opq" }, { name: "d/.wh.x" }, { name: ".wh.d" }],
    tree: { d: "d 755 opaque", "d/x": "w" },
  },
];

for (const { name, entries, tree } of cases) {
  test(name, (t) => assert.deepEqual(survey(unpackWell(t, entries).tree), tree));
}

test("the root can be opaque", (t) => {
  const { tree } = unpackWell(t, [{ name: ".wh..wh..opq" }, { name: "a", body: "x" }]);
  assert.deepEqual(survey(tree), { a: "f 644 x" });
  assert.ok(isOpaque(tree));
});

test("whiteouts do not touch their directories' times", (t) => {
  const { tree } = unpackWell(t, [{ name: "d/", type: "5", mtime: 42 }, { name: "d/.wh.x" }]);
  assert.equal(execFileSync("stat", ["-c", "%Y", `${tree}/d`], { encoding: "utf8" }), "42\n");
});

test("the list names what is hidden", (t) => {
  const { list } = unpackWell(t, [{ name: "d/.wh.gone" }, { name: "d/.wh..wh..opq" }]);
  assert.deepEqual(list, [
    "d 755 0 0 0 0 - d",
    "w 0 0 0 0 0 - d/gone",
    "o 0 0 0 0 0 - d",
    "d 755 0 0 0 0 - .",
  ]);
});

test("a whiteout of nothing is refused", (t) => {
  for (const name of [".wh.", "d/.wh.", ".wh..", ".wh..."]) {
    assertRefused(unpackRaw(t, [{ name }]), "BadImage", /the whiteout "(d\/)?\.wh\.+" hides no name/);
  }
});

test("aufs's bookkeeping is left out and counted", (t) => {
  const { tree, report } = unpackWell(t, [
    { name: ".wh..wh.aufs" },
    { name: ".wh..wh.plnk/", type: "5" },
    { name: ".wh..wh.plnk/12.34", body: "x" },
    { name: ".wh..wh.orph/", type: "5" },
  ]);
  assert.deepEqual(survey(tree), {});
  assert.equal(report.skipped, 4);
});

test("overlayfs sees what the marks say", (t) => {
  const lower = unpackWell(t, [
    { name: "gone", body: "x" },
    { name: "o/old", body: "x" },
    { name: "again/old", body: "x" },
    { name: "kept/old", body: "x" },
  ]);
  const upper = unpackWell(t, [
    { name: ".wh.gone" },
    { name: "o/new", body: "y" },
    { name: "o/.wh..wh..opq" },
    { name: "again/new", body: "y" },
    { name: ".wh.again" },
    { name: "kept/new", body: "y" },
  ]);
  const script = `mount -t overlay overlay -o ro,userxattr,lowerdir=${upper.tree}:${lower.tree} /mnt && cd /mnt && find . -type f | sort`;
  const seen = execFileSync("unshare", ["--mount", "sh", "-ec", script], { encoding: "utf8" });
  assert.equal(seen, "./again/new\n./kept/new\n./kept/old\n./o/new\n");
});

test("a file system without user attributes fails by name instead of forgetting a mark", (t) => {
  const { status, report } = unpackRaw(t, [{ name: "d/.wh..wh..opq" }], {
    prefix: ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fsetxattr:error=EOPNOTSUPP"],
  });
  assert.equal(status, 1);
  assert.equal(report.kind, "Internal");
  assert.equal(report.text, 'cannot mark the directory "d" opaque: Operation not supported');
});
