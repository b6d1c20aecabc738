/** What a sealed service's root holds before systemd binds the rest. */
import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { furnishRoot } from "../../../src/systemd/sealed-root.ts";

test("sealed root: links of the host are links in there, directories are left to be bound", async (t) => {
  const root = emptyRoot(t);
  const bound = await furnishRoot(root);
  for (const path of ["/usr", "/bin", "/lib", "/lib64"].filter((path) => existsSync(path))) {
    const isBound = bound.some(({ from, to }) => from === path && to === path);
    const isLink = lstatSync(path).isSymbolicLink();
    assert.equal(isBound, !isLink, path);
    if (isLink) assert.equal(readlinkSync(join(root, path)), readlinkSync(path));
  }
  assert.ok(bound.some(({ from }) => from === "/usr"));
});

test("sealed root: files are copied, readable whatever the umask, and missing ones are left out", async (t) => {
  const root = emptyRoot(t);
  const before = process.umask(0o077);
  try {
    await furnishRoot(root, ["passwd", "no-such-file"]);
  } finally {
    process.umask(before);
  }
  assert.deepEqual(readFileSync(join(root, "etc/passwd")), readFileSync("/etc/passwd"));
  assert.equal(statSync(join(root, "etc")).mode & 0o777, 0o755);
  assert.equal(statSync(join(root, "etc/passwd")).mode & 0o777, 0o444);
  assert.ok(!readdirSync(join(root, "etc")).includes("no-such-file"));
});

test("sealed root: one that is not there is an error that names it", async (t) => {
  const root = join(emptyRoot(t), "missing");
  await assert.rejects(furnishRoot(root), { code: "ENOENT", path: join(root, "etc") });
});

function emptyRoot(t: { readonly after: (done: () => void) => void }): string {
  const root = mkdtempSync(join(tmpdir(), "gantry-root-"));
  t.after(() => rmSync(root, { recursive: true }));
  return root;
}
