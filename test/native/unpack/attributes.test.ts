/** Owner, mode, times, extended attributes, access lists, holes: what survives extraction, and what must not. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertRefused, attribute, attributes, temporary, unpackRaw, unpackWell } from "./unpacking.ts";

/** VFS_CAP_REVISION_2, effective, CAP_NET_BIND_SERVICE permitted (capabilities(7)). */
const CAPABILITY = Buffer.from("0100000200040000000000000000000000000000", "hex");

test("set-id bits and capabilities survive the change of owner", (t) => {
  const { tree, list } = unpackWell(t, [
    { name: "su", mode: 0o4755, uid: 0, body: "x" },
    { name: "mail", mode: 0o2755, uid: 8, gid: 8, body: "x" },
    { name: "ping", mode: 0o755, uid: 5, body: "x", pax: { "SCHILY.xattr.security.capability": CAPABILITY } },
    { name: "tmp/", type: "5", mode: 0o1777 },
  ]);
  const modes = ["su", "mail", "tmp"].map((name) => (lstatSync(join(tree, name)).mode & 0o7777).toString(8));
  assert.deepEqual(modes, ["4755", "2755", "1777"]);
  assert.equal(attribute(join(tree, "ping"), "security.capability"), `0x${CAPABILITY.toString("hex")}`);
  assert.match(list[1] ?? "", /^f 2755 8 8 1 0 [0-9a-f]{64} mail$/);
});

test("user attributes stay, those that would speak to this host or to overlayfs go", (t) => {
  const names = [
    "user.kept",
    "user.overlay.opaque",
    "user.overlay.redirect",
    "user.overlayfs",
    "trusted.overlay.opaque",
    "trusted.x",
    "security.selinux",
    "security.ima",
    "security.evm",
    "security.apparmor",
  ];
  const pax = Object.fromEntries(
    names.map((name) => [`SCHILY.xattr.${name}`, Buffer.from("y\0\xff", "latin1")]),
  );
  const { tree } = unpackWell(t, [
    { name: "file", body: "x", pax },
    { name: "dir/", type: "5", pax },
  ]);
  for (const name of ["file", "dir"]) {
    assert.deepEqual(attributes(join(tree, name)), { "user.kept": "0x7900ff", "user.overlayfs": "0x7900ff" });
  }
});

test("LIBARCHIVE.xattr records are attributes, too", (t) => {
  const pax = { "LIBARCHIVE.xattr.user.a%25b": Buffer.from("value").toString("base64").replaceAll("=", "") };
  const { tree } = unpackWell(t, [{ name: "file", pax }]);
  assert.deepEqual(attributes(join(tree, "file")), {
    "user.a%b": `0x${Buffer.from("value").toString("hex")}`,
  });
});

test("an attribute that cannot be set is refused by name", (t) => {
  const link = { name: "link", type: "2", linkname: "x", pax: { "SCHILY.xattr.user.a": "b" } };
  assertRefused(unpackRaw(t, [link]), "BadImage", /"link" has the attribute "user\.a", which cannot be set/);
  const bad = { name: "file", pax: { "SCHILY.xattr.security.capability": "short" } };
  assertRefused(
    unpackRaw(t, [bad]),
    "BadImage",
    /"file" has the attribute "security\.capability", which cannot be set/,
  );
  const large = { name: "file", pax: { "SCHILY.xattr.user.large": Buffer.alloc(70_000, 1) } };
  assertRefused(unpackRaw(t, [large]), "BadImage", /"user\.large", which cannot be set: it is too large/);
});

test("access control lists stay, with the mode stat shows", (t) => {
  const { tree, list } = unpackWell(t, [
    {
      name: "file",
      mode: 0o640,
      body: "x",
      pax: {
        "SCHILY.acl.access": "user::rw-,user:bin:rwx:2,group::r--,group:daemon:r--:1,mask::rw-,other::---",
      },
    },
  ]);
  const acl = execFileSync("getfattr", [
    "-n",
    "system.posix_acl_access",
    "-e",
    "hex",
    "--only-values",
    join(tree, "file"),
  ]);
  assert.equal(acl.readUInt32LE(0), 2);
  const entries = Array.from({ length: (acl.length - 4) / 8 }, (_, i) => [
    acl.readUInt16LE(4 + 8 * i),
    acl.readUInt16LE(6 + 8 * i),
    acl.readUInt32LE(8 + 8 * i),
  ]);
  const none = 0xffffffff;
  assert.deepEqual(entries, [
    [1, 6, none],
    [2, 7, 2],
    [4, 4, none],
    [8, 4, 1],
    [16, 6, none],
    [32, 0, none],
  ]);
  const mode = (lstatSync(join(tree, "file")).mode & 0o777).toString(8);
  assert.equal(mode, "660");
  assert.equal(list[0]?.split(" ")[1], mode);
});

test("a directory's default list is not handed on to what the archive puts there", (t) => {
  const list = "user::rwx,user:bin:rwx:2,group::r-x,mask::rwx,other::r-x";
  const { tree } = unpackWell(t, [
    { name: "d/", type: "5", pax: { "SCHILY.acl.default": list } },
    { name: "d/file", mode: 0o644, body: "x" },
    { name: "d/sub/", type: "5" },
    { name: "d/implied/file", body: "x" },
    { name: "d/fifo", type: "6" },
  ]);
  assert.deepEqual(Object.keys(attributes(join(tree, "d"))), ["system.posix_acl_default"]);
  for (const name of ["d/file", "d/sub", "d/implied", "d/implied/file", "d/fifo"]) {
    assert.deepEqual(attributes(join(tree, name)), {}, name);
  }
  assert.equal(lstatSync(join(tree, "d/file")).mode & 0o777, 0o644);
});

test("a list that knows its users by name only is refused", (t) => {
  const entry = {
    name: "file",
    pax: { "SCHILY.acl.access": "user::rw-,user:bin:rwx,group::r--,mask::rwx,other::---" },
  };
  assertRefused(
    unpackRaw(t, [entry]),
    "BadImage",
    /"file" has an access control list that names "bin" without a number/,
  );
});

test("times before 1970, after 2038 and to the nanosecond", (t) => {
  const { tree, list } = unpackWell(t, [
    { name: "old", mtime: -86_400 },
    { name: "late", mtime: 5_000_000_000n },
    { name: "exact", pax: { mtime: "1700000000.123456789" } },
    { name: "link", type: "2", linkname: "x", pax: { mtime: "12.5" } },
    { name: "dir/", type: "5", pax: { mtime: "-3.25" } },
    { name: "dir/child" },
  ]);
  const times = ["old", "late", "exact", "link", "dir"].map(
    (name) => lstatSync(join(tree, name), { bigint: true }).mtimeNs,
  );
  assert.deepEqual(times, [
    -86_400_000_000_000n,
    5_000_000_000_000_000_000n,
    1_700_000_000_123_456_789n,
    12_500_000_000n,
    -3_250_000_000n,
  ]);
  const listed = list.slice(0, 5).map((line) => BigInt(line.split(" ")[5] ?? ""));
  assert.deepEqual(listed, times);
});

test("owners in base 256", (t) => {
  const { tree } = unpackWell(t, [{ name: "file", uid: 3_000_000_000n, gid: 2_100_000 }]);
  const { uid, gid } = lstatSync(join(tree, "file"));
  assert.deepEqual([uid, gid], [3_000_000_000, 2_100_000]);
});

for (const format of ["gnu", "posix 0.0", "posix 0.1", "posix 1.0"]) {
  test(`holes stay holes: ${format}`, (t) => {
    const directory = temporary(t);
    const file = join(directory, "sparse");
    const fd = openSync(file, "w");
    for (let i = 0; i < 50; i++) writeSync(fd, `data ${i}`, i * 100_000);
    ftruncateSync(fd, 6_000_000);
    closeSync(fd);
    writeFileSync(join(directory, "after"), "x");
    const [name, version] = format.split(" ");
    const options = [`--format=${name}`, ...(version === undefined ? [] : [`--sparse-version=${version}`])];
    const tar = execFileSync("tar", ["-S", ...options, "-C", directory, "-c", "sparse", "after"], {
      maxBuffer: 2 ** 26,
    });
    const { tree, list } = unpackWell(t, tar);
    assert.ok(readFileSync(join(tree, "sparse")).equals(readFileSync(file)));
    assert.ok(lstatSync(join(tree, "sparse")).blocks * 512 < 1_000_000);
    const digest = createHash("sha256").update(readFileSync(file)).digest("hex");
    assert.equal(list[0]?.split(" ")[6], digest);
  });
}

test("digests of the list are those of the contents", (t) => {
  const { list } = unpackWell(t, [
    { name: "file", body: "content" },
    { name: "empty" },
    { name: "link", type: "2", linkname: "target" },
  ]);
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  assert.deepEqual(list.slice(0, 3), [
    `f 644 0 0 7 0 ${sha256("content")} file`,
    `f 644 0 0 0 0 ${sha256("")} empty`,
    `l 644 0 0 6 0 ${sha256("target")} link`,
  ]);
});
