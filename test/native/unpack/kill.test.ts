/** `kill -9` at any system call: nothing outside of --into, no report that lies, and the next run works. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { rawTar } from "../../fixtures/ustar.ts";
import { survey, temporary, unpack, unpackWell } from "./unpacking.ts";

const ARCHIVE = gzipSync(
  rawTar([
    { name: "./", type: "5" },
    { name: "d/", type: "5", pax: { "SCHILY.xattr.user.a": "b" } },
    { name: "d/file", body: "first" },
    { name: "d/sub/deep/file", body: "x" },
    { name: "d", body: "replaced" },
    { name: "link", type: "2", linkname: "/etc" },
    { name: "link/file", body: "y" },
    { name: "hard", type: "1", linkname: "d" },
    { name: "fifo", type: "6" },
    { name: "null", type: "3", device: [1, 3] },
    { name: ".wh.gone" },
    { name: "o/.wh..wh..opq" },
    { name: "large", body: Buffer.alloc(3_000_000, 1) },
  ]),
);

const CALLS = [
  "openat",
  "openat2",
  "write",
  "mkdirat",
  "mknodat",
  "symlinkat",
  "linkat",
  "unlinkat",
  "renameat",
  "fchown",
  "fchmod",
  "fsetxattr",
  "utimensat",
  "chroot",
  "capset",
  "seccomp",
  "syncfs",
  "fsync",
];
const TIMES = [1, 2, 3, 5, 9];

for (const call of CALLS) {
  test(`killed at ${call}`, (t) => {
    const expected = survey(unpackWell(t, ARCHIVE).tree);
    let killed = 0;
    for (const when of TIMES) {
      const outside = temporary(t);
      const into = join(outside, "into");
      mkdirSync(into);
      writeFileSync(join(outside, "canary"), "alive");
      const inject = `inject=${call}:signal=KILL:when=${when}`;
      const run = unpack(t, ARCHIVE, {
        into,
        prefix: ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject],
      });
      if (run.status === 0) break; // it makes fewer such calls
      killed++;
      assert.equal(run.signal, "SIGKILL");
      assert.deepEqual(readdirSync(outside).toSorted(), ["canary", "into"]);
      assert.equal(readFileSync(join(outside, "canary"), "utf8"), "alive");
      // A report means that the rest was finished and synced before.
      if (existsSync(join(into, "report"))) assert.deepEqual(survey(run.tree), expected);
    }
    assert.ok(killed > 0);
    assert.deepEqual(survey(unpackWell(t, ARCHIVE).tree), expected);
  });
}

test("what a killed run left is not taken for a directory to write into", (t) => {
  const prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=syncfs:signal=KILL:when=1"];
  const { into } = unpack(t, ARCHIVE, { prefix });
  const again = unpack(t, ARCHIVE, { into });
  assert.equal(again.status, 1);
  assert.equal(again.report.kind, "Internal");
  assert.match(again.report.text ?? "", /File exists/);
});
