/** Where entries land: collisions, parents, links, hostile names (docs/unpacker.md, "Rules"). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertRefused, survey, temporary, unpackRaw, unpackWell } from "./unpacking.ts";

test("an entry replaces what an earlier one left at its path", (t) => {
  const { tree } = unpackWell(t, [
    { name: "file", body: "first" },
    { name: "file", body: "last" },
    { name: "dir/deep/er/file", body: "gone" },
    { name: "dir", body: "now a file" },
    { name: "link", type: "2", linkname: "/etc" },
    { name: "link", body: "now a file" },
    { name: "node", type: "6" },
    { name: "node", type: "2", linkname: "x" },
  ]);
  assert.deepEqual(survey(tree), {
    dir: "f 644 now a file",
    file: "f 644 last",
    link: "f 644 now a file",
    node: "l x",
  });
});

test("a directory over a directory replaces the attributes and keeps the children", (t) => {
  const { tree } = unpackWell(t, [
    { name: "d/", type: "5", mode: 0o700, uid: 5, pax: { "SCHILY.xattr.user.old": "1" } },
    { name: "d/child", body: "stays" },
    { name: "d/", type: "5", mode: 0o1777, gid: 7, mtime: 1000, pax: { "SCHILY.xattr.user.new": "1" } },
  ]);
  assert.deepEqual(survey(tree), { d: "d 1777", "d/child": "f 644 stays" });
  const { uid, gid, mtimeMs } = lstatSync(join(tree, "d"));
  assert.deepEqual({ uid, gid, mtimeMs }, { uid: 0, gid: 7, mtimeMs: 1_000_000 });
});

test("a directory in the place of something else of the same layer hides the lower layers' one", (t) => {
  const { tree, list } = unpackWell(t, [
    { name: "a", body: "a file" },
    { name: "a/", type: "5" },
    { name: "b", type: "2", linkname: "elsewhere" },
    { name: "b/child", body: "x" },
  ]);
  assert.deepEqual(survey(tree), { a: "d 755 opaque", b: "d 755 opaque", "b/child": "f 644 x" });
  assert.deepEqual(
    list.filter((line) => line.startsWith("o")).map((line) => line.split(" ").at(-1)),
    ["a", "b"],
  );
});

test("missing parents are root's, 0755 and of the year 1970, whatever is above them", (t) => {
  const { tree, list } = unpackWell(t, [
    { name: "shared/", type: "5", mode: 0o2775, gid: 50, mtime: 9 },
    { name: "shared/a/b/file", body: "x", mtime: 8 },
  ]);
  const st = lstatSync(join(tree, "shared/a/b"));
  assert.deepEqual([st.mode & 0o7777, st.uid, st.gid, st.mtimeMs], [0o755, 0, 0, 0]);
  assert.equal(lstatSync(join(tree, "shared")).mtimeMs, 9000);
  assert.deepEqual(
    list.map((line) => line.split(" ").at(-1)),
    ["shared", "shared/a", "shared/a/b", "shared/a/b/file", "."],
  );
});

for (const name of [".", "./", "/"]) {
  test(`an entry ${name} is the attributes of the root`, (t) => {
    const { tree } = unpackWell(t, [
      { name: "file", body: "x" },
      { name, type: "5", mode: 0o711, uid: 3, mtime: 5, pax: { "SCHILY.xattr.user.a": "b" } },
    ]);
    const st = lstatSync(tree);
    assert.deepEqual([st.mode & 0o7777, st.uid, st.mtimeMs], [0o711, 3, 5000]);
    assert.deepEqual(survey(tree), { file: "f 644 x" });
  });
}

test("without an entry the root is root's, 0755 and of the year 1970", (t) => {
  const st = lstatSync(unpackWell(t, []).tree);
  assert.deepEqual([st.mode & 0o7777, st.uid, st.gid, st.mtimeMs], [0o755, 0, 0, 0]);
});

test("a root that is no directory is refused", (t) => {
  assertRefused(
    unpackRaw(t, [{ name: "./", type: "2", linkname: "/" }]),
    "BadImage",
    /the root of the archive is not a directory/,
  );
});

test("leading slashes and dots go, names are bytes", (t) => {
  const nfd = "e\u0301";
  const { tree, list } = unpackWell(t, [
    { name: "/abs", body: "1" },
    { name: "./dot//two", body: "2" },
    { name: "short", body: "3", pax: { path: `./${nfd} %\n` } },
    { name: Buffer.from([0x66, 0xff]), body: "4" },
    { name: "short", body: "5", pax: { path: Buffer.from([0x67, 0xfe]) } },
  ]);
  const names = readdirSync(tree, { encoding: "buffer" }).map((name) => name.toString("latin1"));
  const kept = Buffer.from(`${nfd} %\n`).toString("latin1");
  assert.deepEqual(names.toSorted(), ["abs", "dot", kept, "f\xff", "g\xfe"].toSorted());
  const paths = list.map((line) => line.split(" ").at(-1));
  assert.deepEqual(paths, ["abs", "dot", "dot/two", "e%CC%81%20%25%0A", "f%FF", "g%FE", "."]);
});

test("a .. component is refused", (t) => {
  for (const name of ["../out", "a/../../out", "a/..", ".."]) {
    assertRefused(unpackRaw(t, [{ name, body: "x" }]), "BadImage", /the path "\.*a?.*" has a \.\. component/);
  }
});

test("a symlink as parent becomes a directory and is never followed", (t) => {
  const outside = temporary(t);
  const { tree } = unpackWell(t, [
    { name: "a", type: "2", linkname: outside },
    { name: "a/file", body: "x" },
    { name: "etc", type: "2", linkname: "/" },
    { name: "etc/passwd", body: "y" },
    { name: "up", type: "2", linkname: ".." },
    { name: "up/report", body: "z" },
    { name: "deep/", type: "5" },
    { name: "deep/link", type: "2", linkname: "../../.." },
    { name: "deep/link/x/y", body: "z" },
    { name: "whiteout", type: "2", linkname: outside },
    { name: "whiteout/.wh.victim" },
  ]);
  assert.deepEqual(readdirSync(outside), []);
  const found = survey(tree);
  assert.equal(found["a/file"], "f 644 x");
  assert.equal(found["etc/passwd"], "f 644 y");
  assert.equal(found["up/report"], "f 644 z");
  assert.equal(found["deep/link/x/y"], "f 644 z");
  assert.equal(found["whiteout/victim"], "w");
});

test("a file over a symlink does not write through it", (t) => {
  const { tree, into } = unpackWell(t, [
    { name: "x", type: "2", linkname: "../report" },
    { name: "x", body: "forged" },
  ]);
  assert.equal(readFileSync(join(tree, "x"), "utf8"), "forged");
  assert.match(readFileSync(join(into, "report"), "utf8"), /"ok":true/);
});

test("names of 255 and paths of 4096 bytes fit, longer ones are refused", (t) => {
  const component = "c".repeat(255);
  const deep = `${"d/".repeat(2047)}ee`;
  assert.equal(deep.length, 4096);
  const { list } = unpackWell(t, [
    { name: "s", body: "x", pax: { path: component } },
    { name: "s", body: "deepest", pax: { path: deep } },
    { name: "s", type: "1", linkname: "d", pax: { path: "linked", linkpath: deep } },
  ]);
  assert.equal(list.filter((line) => line.startsWith("d")).length, 2048);
  const tooLong = `${deep}e`;
  assertRefused(
    unpackRaw(t, [{ name: "s", pax: { path: tooLong } }]),
    "BadImage",
    /"d\/d\/.*more than 4096 bytes/,
  );
  assertRefused(
    unpackRaw(t, [{ name: "s", pax: { path: `${component}x` } }]),
    "BadImage",
    /"ccc.*more than 255 bytes/,
  );
});

test("a tree 2048 directories deep can be replaced and removed again", (t) => {
  const deep = `${"d/".repeat(2047)}ee`;
  const replaced = unpackWell(t, [
    { name: "s", body: "x", pax: { path: deep } },
    { name: "d", body: "flat" },
  ]);
  assert.deepEqual(survey(replaced.tree), { d: "f 644 flat" });
  const refused = unpackRaw(t, [{ name: "s", body: "x", pax: { path: deep } }, { name: ".." }]);
  assertRefused(refused, "BadImage", /"\.\." has a \.\. component/);
});

test("GNU long names and links are read", (t) => {
  const name = `long/${"n".repeat(200)}`;
  const target = `${"t/".repeat(100)}end`;
  const { tree } = unpackWell(t, [
    { name: "././@LongLink", type: "L", body: `${name}\0` },
    { name: "long", type: "2", linkname: "short", pax: { linkpath: target } },
    { name: "././@LongLink", type: "K", body: `${target}\0` },
    { name: "gnu", type: "2", linkname: "short" },
  ]);
  assert.equal(survey(tree)["gnu"], `l ${target}`);
});

test("hard links share their target's inode, a link to a symlink is one", (t) => {
  const { tree, list } = unpackWell(t, [
    { name: "a", body: "three names", mode: 0o600 },
    { name: "b", type: "1", linkname: "a" },
    { name: "d/c", type: "1", linkname: "/./a" },
    { name: "s", type: "2", linkname: "nowhere" },
    { name: "t", type: "1", linkname: "s" },
    { name: "a", type: "1", linkname: "a" },
  ]);
  const [a, b, c] = ["a", "b", "d/c"].map((name) => lstatSync(join(tree, name)));
  assert.equal(a?.nlink, 3);
  assert.deepEqual([b?.ino, c?.ino], [a?.ino, a?.ino]);
  assert.equal(lstatSync(join(tree, "t")).ino, lstatSync(join(tree, "s")).ino);
  // A link to itself changes nothing and has no line.
  assert.deepEqual(
    list.filter((line) => line.startsWith("h")),
    ["h 644 0 0 0 0 a b", "h 644 0 0 0 0 a d/c", "h 644 0 0 0 0 s t"],
  );
});

test("hard links that leave the layer, dangle or point to a directory are refused", (t) => {
  const cases: [string, RegExp][] = [
    ["../../etc/passwd", /the hard link target "\.\.\/\.\.\/etc\/passwd" has a \.\. component/],
    ["lower", /the hard link "link" has the target "lower", which is not in this layer/],
    ["d", /the hard link "link" has the directory "d" as target/],
    ["sym/file", /the hard link "link" has the target "sym\/file", which is not in this layer/],
  ];
  for (const [linkname, text] of cases) {
    const entries = [
      { name: "d/file", body: "x" },
      { name: "sym", type: "2", linkname: "d" },
      { name: "link", type: "1", linkname },
    ];
    assertRefused(unpackRaw(t, entries), "BadImage", text);
  }
});

test("a hard link that replaces its own target is refused", (t) => {
  const entries = [
    { name: "d/file", body: "x" },
    { name: "d", type: "1", linkname: "d/file" },
  ];
  assertRefused(unpackRaw(t, entries), "BadImage", /the hard link "d" replaces its own target/);
});

test("devices and fifos are made, the device that means a whiteout is refused", (t) => {
  const { tree } = unpackWell(t, [
    { name: "null", type: "3", mode: 0o666, device: [1, 3], uid: 7 },
    { name: "disk", type: "4", mode: 0o660, device: [8, 0] },
    { name: "fifo", type: "6", mode: 0o604, mtime: 77 },
  ]);
  assert.deepEqual(survey(tree), { disk: "b 660 8:0", fifo: "p 604", null: "c 666 1:3" });
  assert.equal(lstatSync(join(tree, "null")).uid, 7);
  assert.equal(lstatSync(join(tree, "fifo")).mtimeMs, 77_000);
  assertRefused(
    unpackRaw(t, [{ name: "dev/zero", type: "3", device: [0, 0] }]),
    "BadImage",
    /"dev\/zero" is the character device 0:0/,
  );
});

test("devices that cannot be made are left out and counted", (t) => {
  const entries = [
    { name: "null", type: "3", device: [1, 3] as const },
    { name: "file", body: "x" },
  ];
  const { tree, report, list } = unpackWell(t, entries, { prefix: ["unshare", "--user", "--map-root-user"] });
  assert.deepEqual(survey(tree), { file: "f 644 x" });
  assert.equal(report.skipped, 1);
  assert.deepEqual([report.entries, report.paths], [2, 2]);
  assert.deepEqual(
    list.map((line) =>
      line
        .split(" ")
        .filter((_, at) => at === 0 || at === 7)
        .join(" "),
    ),
    ["n null", "f file", "d ."],
  );
});

test("the report and the list's last line tell what the tree amounts to, whatever was replaced on the way", (t) => {
  const { tree, report, into } = unpackWell(t, [
    { name: "a/b/f", body: "123" },
    { name: "a/g", body: "4567" },
    { name: "hard", type: "1", linkname: "a/g" },
    { name: "a", body: "89" },
    { name: "f", body: "gone" },
    { name: "f", body: "x" },
    { name: "d/", type: "5" },
    { name: "d/", type: "5" },
    { name: "o/.wh..wh..opq" },
    { name: "o/.wh.gone" },
    { name: "l", type: "2", linkname: "a" },
  ]);
  const find =
    "find . | wc -l; find . -type f -printf '%i %s\\n' | sort -u | awk '{ sum += $2 } END { print sum }'";
  const [paths, bytes] = execFileSync("sh", ["-c", find], { cwd: tree, encoding: "utf8" })
    .trim()
    .split("\n")
    .map(Number);
  assert.deepEqual([report.paths, report.bytes], [paths, bytes]);
  assert.deepEqual([paths, bytes], [8, 7]);
  assert.match(readFileSync(join(into, "digests"), "utf8"), /\nt 0 0 0 7 0 - 8\n$/);
});

test("attributes have a line of their own, of what they became", (t) => {
  const note = { "SCHILY.xattr.user.note": "x" };
  const { list } = unpackWell(t, [
    { name: "plain", body: "" },
    { name: "noted", body: "", pax: note },
    { name: "other", body: "", pax: { "SCHILY.xattr.trusted.x": "y" } },
    {
      name: "listed",
      body: "",
      pax: { "SCHILY.acl.access": "user::rw-,user:bin:r--:2,group::r--,mask::rw-,other::---" },
    },
  ]);
  assert.deepEqual(
    list.filter((line) => line.startsWith("x")).map((line) => line.split(" ").at(-1)),
    ["noted", "listed"],
  );
  const digest = createHash("sha256").update("user.note\x001\x00x").digest("hex");
  assert.ok(list.includes(`x 0 0 0 0 0 ${digest} noted`), list.join("\n"));
  assert.match(list.find((line) => line.endsWith(" listed")) ?? "", /^f 660 /);
});

test("an empty name, an empty link target and an owner out of range are refused", (t) => {
  assertRefused(unpackRaw(t, [{ name: "" }]), "BadImage", /entry 1 of the archive has no name/);
  assertRefused(
    unpackRaw(t, [{ name: "l", type: "2" }]),
    "BadImage",
    /the symbolic link "l" has a target of 0 bytes/,
  );
  assertRefused(unpackRaw(t, [{ name: "f", uid: 2 ** 32 - 1 }]), "BadImage", /"f" has the owner 4294967295/);
  assertRefused(unpackRaw(t, [{ name: "f", gid: -1n }]), "BadImage", /"f" has the group -1/);
});

test("a sentence shows a name printable", (t) => {
  const { report } = unpackRaw(t, [{ name: '../\x1b[31m\n"' }]);
  assert.match(report.text ?? "", /^the path "\.\.\/\\x1b\[31m\\x0a"" has/);
});

test("the directory to write into must exist", (t) => {
  const missing = join(temporary(t), "missing");
  const { status } = unpackRaw(t, [], { into: missing });
  assert.equal(status, 1);
  assert.equal(existsSync(missing), false);
});
