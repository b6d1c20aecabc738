import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  collectTemporaries,
  exists,
  namesIn,
  readBounded,
  readLink,
  storeError,
  unlessMissing,
  unlinkIfPresent,
  writeFileDurably,
  writeSymlinkDurably,
} from "../../../src/base/file.ts";
import { refusal } from "../../fixtures/refusal.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "gantry-file-"));
});
after(() => rm(directory, { recursive: true }));

test("writeFileDurably replaces a file, with the mode asked for, and leaves no temporary file", async () => {
  const path = join(directory, "replaced");
  await writeFileDurably(path, "one", { mode: 0o644 });
  await writeFileDurably(path, "two");
  assert.equal(await readFile(path, "utf8"), "two");
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name.startsWith(".")),
    [],
  );
});

test("writeFileDurably leaves what was there, and nothing else, when it fails", async () => {
  const own = join(directory, "failing");
  await mkdir(join(own, "target"), { recursive: true });
  await assert.rejects(writeFileDurably(join(own, "target"), "x"), { code: "EISDIR" });
  assert.deepEqual(await readdir(own), ["target"]);
});

test("writeFileDurably makes its temporary file in the scratch directory", async () => {
  const scratch = join(directory, "no-such-scratch");
  const write = writeFileDurably(join(directory, "scratched"), "x", { scratch });
  await assert.rejects(write, { code: "ENOENT", path: new RegExp(`^${scratch}/`) });
});

test("writeFileDurably takes names as long as names can be", async () => {
  const path = join(directory, "n".repeat(255));
  await writeFileDurably(path, "x");
  assert.equal(await readFile(path, "utf8"), "x");
});

test("writeSymlinkDurably replaces a link", async () => {
  const path = join(directory, "link");
  await writeSymlinkDurably(path, "one");
  await writeSymlinkDurably(path, "two");
  assert.equal(await readLink(path), "two");
  assert.equal(await readLink(join(directory, "no-link")), undefined);
});

test("readBounded refuses a FIFO without blocking, a directory, and more than the limit", async () => {
  const fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  await assert.rejects(readBounded(fifo, 10), refusal("BadImage", 1, fifo, "not a regular file"));
  await assert.rejects(readBounded(directory, 10), refusal("BadImage", 1, directory));
  const long = join(directory, "long");
  await writeFile(long, "12345678901");
  await assert.rejects(readBounded(long, 10), refusal("BadImage", 1, long, "11 bytes", "limit is 10"));
  assert.equal((await readBounded(long, 11)).toString(), "12345678901");
});

test("exists sees a dangling link; unlinkIfPresent says whether it did something", async () => {
  const dangling = join(directory, "dangling");
  await symlink("nowhere", dangling);
  assert.equal(await exists(dangling), true);
  assert.deepEqual([await unlinkIfPresent(dangling), await unlinkIfPresent(dangling)], [true, false]);
  assert.equal(await exists(dangling), false);
});

test("namesIn is sorted, and empty where there is no directory", async () => {
  assert.deepEqual(await namesIn(join(directory, "nothing")), []);
  await mkdir(join(directory, "names"));
  for (const name of ["b", "a"]) await writeFile(join(directory, "names", name), "");
  assert.deepEqual(await namesIn(join(directory, "names")), ["a", "b"]);
});

test("unlessMissing passes every error but ENOENT on", async () => {
  await assert.rejects(unlessMissing(readFile(directory)), { code: "EISDIR" });
});

test("storeError turns a full disk and an exhausted quota into StoreFull that names the directory", () => {
  for (const code of ["ENOSPC", "EDQUOT"]) {
    const error = storeError(Object.assign(new Error(code), { code }), "/data");
    refusal("StoreFull", 1, '"/data"', "gantry image rm")(error);
  }
  const other = Object.assign(new Error("EIO"), { code: "EIO" });
  assert.equal(storeError(other, "/data"), other);
});

test("collectTemporaries removes what writers left an hour ago, and follows no link", async () => {
  const [own, other] = [join(directory, "collected"), join(directory, "elsewhere")];
  const old = ".a.json.0123456789ab";
  for (const place of [own, join(own, "below"), other]) {
    await mkdir(place);
    for (const name of [old, "a.json", ".a"]) {
      await writeFile(join(place, name), "");
      await utimes(join(place, name), 0, 0);
    }
  }
  await writeFile(join(own, ".new.json.0123456789ab"), "");
  await symlink("../elsewhere", join(own, "backup"));
  for (const name of ["here", "again"]) await symlink(".", join(own, name));
  await collectTemporaries(own);
  const left = (await readdir(own, { withFileTypes: true })).map(({ name }) => name);
  assert.deepEqual(left.sort(), [
    ".a",
    ".new.json.0123456789ab",
    "a.json",
    "again",
    "backup",
    "below",
    "here",
  ]);
  assert.deepEqual((await readdir(join(own, "below"))).sort(), [".a", "a.json"]);
  assert.deepEqual((await readdir(other)).sort(), [".a", old, "a.json"]);
  await collectTemporaries(join(directory, "no-such"));
});
