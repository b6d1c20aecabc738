/** What whitelists leave (appc 0.8.11, "Dependency Matching"). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keptPaths, type Whitelist } from "../../../src/image/whitelist.ts";

const LIST = [
  ". d",
  "etc d",
  "etc/passwd f",
  "etc/link h",
  "usr d",
  "usr/lib d",
  "usr/lib/a f",
  "lib l",
  "run d",
  "run/x p",
];

function kept(paths: readonly string[], own: boolean, list: readonly string[] = LIST): string[] | undefined {
  const entries = list.map((line) => {
    const [path = "", type = ""] = line.split(" ");
    return { path, type };
  });
  const whitelist: Whitelist = { paths, own };
  return keptPaths(entries, whitelist);
}

test("an image's own directories pass, its other paths only by name", () => {
  assert.deepEqual(kept(["/etc/passwd"], true), [".", "etc", "etc/passwd", "usr", "usr/lib", "run"]);
});

test("a dependency's directories pass when they are named or something in them is", () => {
  assert.deepEqual(kept(["/usr/lib/a"], false), [".", "usr", "usr/lib", "usr/lib/a"]);
  assert.deepEqual(kept(["/run"], false), [".", "run"]);
  assert.deepEqual(kept(["/nothing"], false), ["."]);
});

test("a directory's name does not stand for what is in it", () => {
  assert.deepEqual(kept(["/usr", "/usr/lib"], false), [".", "usr", "usr/lib"]);
});

test("a link is a path like others, wherever it leads", () => {
  assert.deepEqual(kept(["/lib", "/etc/link"], false), [".", "etc", "etc/link", "lib"]);
});

test("paths are compared clean", () => {
  const written = ["//etc/../etc/./passwd", "/run/", "/", "/usr/lib/a/"];
  assert.deepEqual(kept(written, false), [".", "etc", "etc/passwd", "usr", "usr/lib", "usr/lib/a", "run"]);
  assert.deepEqual(kept(["/../../etc/passwd"], false), [".", "etc", "etc/passwd"]);
});

test("all of it is undefined: the layer is its own part", () => {
  const all = LIST.map((line) => `/${line.split(" ")[0]}`);
  assert.equal(kept(all, false), undefined);
  assert.equal(kept(["/etc/passwd"], true, [". d", "etc d", "etc/passwd f"]), undefined);
});

test("names are bytes, written as the digest list writes them", () => {
  const list = [". d", "a%20b f", "%C3%A9 f", "100%25 f", "%FF f", "~x f"];
  assert.deepEqual(kept(["/a b", "/é", "/100%", "/~x", "/\u00ff"], false, list), [
    ".",
    "a%20b",
    "%C3%A9",
    "100%25",
    "~x",
  ]);
});

test("a path that comes twice in the list is one path", () => {
  assert.deepEqual(kept(["/b"], false, [". d", "a d", "a d", "b f", "c f"]), [".", "b"]);
});
