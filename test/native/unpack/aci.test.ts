/** App container images: `manifest`, `rootfs/` and nothing else (appc specification, "Image Layout"). */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { lstatSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type RawEntry, rawTar } from "../../fixtures/ustar.ts";
import { assertRefused, survey, unpack, unpackRaw, unpackWell } from "./unpacking.ts";

const MANIFEST: RawEntry = { name: "manifest", body: '{"acKind":"ImageManifest","name":"ex\\"é"}\n' };
const ROOT: RawEntry = { name: "rootfs/", type: "5", mode: 0o711, mtime: 4 };

test("rootfs becomes the tree, the manifest is in the report, both digests are told", (t) => {
  const tar = rawTar([
    ROOT,
    { name: "rootfs/bin/sh", mode: 0o755, body: "shell" },
    { name: "rootfs/bin/ash", type: "1", linkname: "rootfs/bin/sh" },
    { name: "rootfs/.wh.plain", body: "a file like any other" },
    MANIFEST,
  ]);
  const { tree, report, list, into } = unpackWell(t, gzipSync(tar), { verb: "aci" });
  assert.deepEqual(readdirSync(into).toSorted(), ["digests", "report", "tree"]);
  assert.deepEqual(survey(tree), {
    ".wh.plain": "f 644 a file like any other",
    bin: "d 755",
    "bin/ash": "f 755 shell",
    "bin/sh": "f 755 shell",
  });
  assert.equal(lstatSync(tree).mode & 0o7777, 0o711);
  assert.equal(report.manifest, MANIFEST.body);
  assert.equal(report.diff?.sha512, createHash("sha512").update(tar).digest("hex"));
  assert.equal(list[0], "d 711 0 0 0 4000000000 - .");
});

test("directories may be implied first and described later", (t) => {
  const entries = [
    MANIFEST,
    { name: "rootfs/a/b", body: "x" },
    { name: "rootfs/a/", type: "5", mode: 0o700 },
    ROOT,
  ];
  assert.deepEqual(survey(unpackWell(t, entries, { verb: "aci" }).tree), { a: "d 700", "a/b": "f 644 x" });
});

test("a . entry is tolerated", (t) => {
  const { tree } = unpackWell(t, [{ name: "./", type: "5" }, { ...MANIFEST, name: "./manifest" }, ROOT], {
    verb: "aci",
  });
  assert.deepEqual(survey(tree), {});
});

const refused: [name: string, entries: RawEntry[], text: RegExp][] = [
  ["no manifest", [ROOT], /the archive has no "manifest"/],
  ["no rootfs", [MANIFEST], /the archive has no "rootfs"/],
  ["rootfs is a file", [MANIFEST, { name: "rootfs", body: "x" }], /"rootfs" is not a directory/],
  [
    "manifest is a link",
    [{ name: "manifest", type: "2", linkname: "/etc/passwd" }, ROOT],
    /"manifest" is not a regular file/,
  ],
  ["manifest twice", [MANIFEST, ROOT, MANIFEST], /"manifest" is in the archive twice/],
  [
    "a large manifest",
    [{ name: "manifest", body: "x".repeat(2 ** 20 + 1) }],
    /"manifest" has more than 1048576 bytes/,
  ],
  [
    "a manifest that is no text",
    [{ name: "manifest", body: Buffer.from([0x22, 0xff, 0x22]) }],
    /"manifest" is not UTF-8 text/,
  ],
  [
    "a third name",
    [MANIFEST, ROOT, { name: "extra/file" }],
    /"extra\/file" is neither "manifest" nor below "rootfs"/,
  ],
  ["a name that only starts like rootfs", [MANIFEST, { name: "rootfs2/a" }], /"rootfs2\/a" is neither/],
  ["a file twice", [{ name: "rootfs/a" }, { name: "./rootfs//a" }], /"a" is in the archive twice/],
  [
    "a directory twice",
    [
      { name: "rootfs/a/", type: "5" },
      { name: "rootfs/a/", type: "5" },
    ],
    /"a" is in the archive twice/,
  ],
  ["the root twice", [ROOT, ROOT], /"\." is in the archive twice/],
  ["an absolute path", [{ name: "/rootfs/a" }], /the path "\/rootfs\/a" is absolute/],
  [
    "a .. component",
    [{ name: "rootfs/../manifest" }],
    /the path "rootfs\/\.\.\/manifest" has a \.\. component/,
  ],
  [
    "an entry through a symlink",
    [{ name: "rootfs/a", type: "2", linkname: "/etc" }, { name: "rootfs/a/passwd" }],
    /"a" is in the archive twice, or something lies below it and it is no directory/,
  ],
  [
    "a hard link out of rootfs",
    [MANIFEST, { name: "rootfs/m", type: "1", linkname: "manifest" }],
    /the hard link target "manifest" leaves "rootfs"/,
  ],
  ["a forged whiteout", [{ name: "rootfs/w", type: "3", device: [0, 0] }], /"w" is the character device 0:0/],
];

for (const [name, entries, text] of refused) {
  test(`refused: ${name}`, (t) => assertRefused(unpackRaw(t, entries, { verb: "aci" }), "BadImage", text));
}

test("an encrypted image is no tar", (t) => {
  const encrypted = Buffer.from("8c0d04090302c0ffee", "hex");
  assertRefused(
    unpack(t, encrypted, { verb: "aci" }),
    "BadImage",
    /no tar archive, or compressed in an unknown way/,
  );
});
