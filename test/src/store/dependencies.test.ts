/** ACIs with dependencies and whitelists, from files and the store: which layers, in which order, with what in them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { GantryError } from "../../../src/base/errors.ts";
import { fetchImage, findImage, type ImageRecord, removeImage } from "../../../src/manager/images.ts";
import type { Transfer } from "../../../src/manager/transfer.ts";
import { collectGarbage } from "../../../src/store/gc.ts";
import { type AciOptions, writeAci } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { leftovers, names, newStore, type TestStore } from "../../fixtures/store.ts";
import type { TarEntry } from "../../fixtures/tar.ts";

type Entries = Readonly<Record<string, string | undefined>>;

/** `{"etc/": dir, "etc/x": "content", "lib": "-> target"}` as entries below rootfs/. */
function rootfs(entries: Entries): TarEntry[] {
  return Object.entries(entries).map(([path, body = ""]): TarEntry => {
    const name = `rootfs/${path}`;
    if (path.endsWith("/")) return { name, type: "directory", mode: 0o755 };
    if (body.startsWith("-> ")) return { name, type: "symlink", linkname: body.slice(3) };
    return { name, mode: 0o644, body };
  });
}

type Made = { readonly name: string; readonly entries: Entries } & Pick<AciOptions, "manifest">;

/** Makes an ACI `example.com/<name>` and imports it. */
async function add(store: TestStore, { name, entries, manifest = {} }: Made): Promise<ImageRecord> {
  const file = join(store.directory, `${name}.aci`);
  await writeAci(file, rootfs(entries), { name: `example.com/${name}`, manifest });
  return await fetchImage(
    { ...store.manager, transfer: nowhere },
    { source: file, insecureOptions: ["image"], uid: 0 },
  );
}

/** Nobody is on the network of these tests. */
const nowhere: Transfer = async (_, { place }) => {
  throw new GantryError("FetchFailed", `${place.kind === "url" ? place.url : place.app.name} is nowhere`);
};

const needs = (...images: readonly string[]) => images.map((name) => ({ imageName: `example.com/${name}` }));

function layers(store: TestStore, record: ImageRecord): string[] {
  return record.layers.map(({ diffId }) => join(store.data, "layers", diffId.replace(":", "-")));
}

/** The tree a pod sees, by an overlay as stage1 mounts it. */
function rendered(store: TestStore, record: ImageRecord): Record<string, string> {
  const at = join(store.directory, "at");
  mkdirSync(at, { recursive: true });
  // One lower directory alone needs an upper one: an empty directory does as another lower.
  const lower = [...layers(store, record).reverse(), at].join(":");
  const listing = ["-type d -printf '%P/ = dir\\n'", "-type l -printf '%P = -> %l\\n'"];
  const contents = "-type f -printf '%P = ' -exec cat {} \\; -printf '\\n'";
  const script = `mount -t tmpfs none "$1" && mkdir "$1/merged" "$1/empty" &&
    mount -t overlay -o "userxattr,ro,lowerdir=$2/empty" overlay "$1/merged" && cd "$1/merged" &&
    find . -mindepth 1 ${[...listing, contents].map((part) => `\\( ${part} \\)`).join(" -o ")}`;
  const words = ["--mount", "--propagation=private", "sh", "-c", script, "sh", at, lower];
  const text = execFileSync("unshare", words, { encoding: "utf8" });
  const lines = text.split("\n").filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => line.split(" = ", 2) as [string, string]));
}

test("depth first, as listed, the image itself last", async () => {
  using store = newStore();
  const b = await add(store, { name: "b", entries: { b: "b", who: "b" } });
  const d = await add(store, { name: "d", entries: { d: "d", who: "d" } });
  const c = await add(store, {
    name: "c",
    entries: { c: "c", who: "c" },
    manifest: { dependencies: needs("d") },
  });
  const a = await add(store, { name: "a", entries: { a: "a" }, manifest: { dependencies: needs("b", "c") } });
  assert.deepEqual(
    a.layers.map(({ diffId }) => diffId),
    [b, d, c, a].map(({ digest }) => digest),
  );
  assert.deepEqual(
    a.dependencies,
    [b, d, c].map(({ id }) => id),
  );
  assert.deepEqual(rendered(store, a), { a: "a", b: "b", c: "c", d: "d", who: "c" });
  assert.deepEqual(leftovers(store.data), []);
});

test("in a diamond the later visit of the same layer counts", async () => {
  using store = newStore();
  const d = await add(store, { name: "d", entries: { "x/": undefined, "x/d": "d", who: "d" } });
  const b = await add(store, {
    name: "b",
    entries: { x: "b", b: "b", who: "b" },
    manifest: { dependencies: needs("d") },
  });
  const c = await add(store, { name: "c", entries: { c: "c" }, manifest: { dependencies: needs("d") } });
  const a = await add(store, { name: "a", entries: { a: "a" }, manifest: { dependencies: needs("b", "c") } });
  assert.deepEqual(
    a.layers.map(({ diffId }) => diffId),
    [b, d, c, a].map(({ digest }) => digest),
  );
  assert.deepEqual(rendered(store, a), { a: "a", b: "b", c: "c", "x/": "dir", "x/d": "d", who: "d" });
});

test("in a diamond with whitelists each visit has its own part", async () => {
  using store = newStore();
  const d = await add(store, { name: "d", entries: { one: "d", two: "d", three: "d" } });
  await add(store, {
    name: "b",
    entries: { b: "b" },
    manifest: { dependencies: needs("d"), pathWhitelist: ["/one", "/b"] },
  });
  await add(store, {
    name: "c",
    entries: { c: "c" },
    manifest: { dependencies: needs("d"), pathWhitelist: ["/two", "/c"] },
  });
  const a = await add(store, { name: "a", entries: { a: "a" }, manifest: { dependencies: needs("b", "c") } });
  assert.deepEqual(rendered(store, a), { a: "a", b: "b", c: "c", one: "d", two: "d" });
  const parts = a.layers.filter(({ of }) => of === d.digest);
  assert.equal(new Set(parts.map(({ diffId }) => diffId)).size, 2);
});

test("a path is overwritten by a later image, whatever it was", async () => {
  using store = newStore();
  const entries = {
    "dir/": undefined,
    "dir/x": "base",
    file: "base",
    lib: "-> usr",
    "usr/": undefined,
    "usr/kept": "base",
    "real/": undefined,
    "real/gone": "base",
  };
  await add(store, { name: "base", entries });
  const over = {
    dir: "file now",
    "file/": undefined,
    "file/x": "dir now",
    "lib/": undefined,
    "lib/own": "a",
    real: "-> usr",
  };
  const a = await add(store, { name: "a", entries: over, manifest: { dependencies: needs("base") } });
  assert.deepEqual(rendered(store, a), {
    dir: "file now",
    "file/": "dir",
    "file/x": "dir now",
    "lib/": "dir",
    "lib/own": "a",
    real: "-> usr",
    "usr/": "dir",
    "usr/kept": "base",
  });
});

test("what an image in between made no directory of, hides what earlier ones had below", async () => {
  using store = newStore();
  await add(store, { name: "one", entries: { "x/": undefined, "x/one": "1" } });
  await add(store, { name: "two", entries: { x: "2" } });
  await add(store, { name: "three", entries: { "x/": undefined, "x/three": "3" } });
  const a = await add(store, {
    name: "a",
    entries: {},
    manifest: { dependencies: needs("one", "two", "three") },
  });
  assert.deepEqual(rendered(store, a), { "x/": "dir", "x/three": "3" });
});

test("a whitelist filters the image and all below it, and what is filtered shows what others have there", async () => {
  using store = newStore();
  await add(store, { name: "first", entries: { shown: "first", "etc/": undefined, "etc/a": "first" } });
  await add(store, {
    name: "deep",
    entries: { shown: "deep", "etc/": undefined, "etc/a": "deep", "etc/b": "deep", "void/": undefined },
  });
  const middle = await add(store, {
    name: "middle",
    entries: { "own/": undefined, "own/x": "middle", "own/y": "middle", kept: "middle" },
    manifest: { dependencies: needs("deep"), pathWhitelist: ["/etc/b", "/own/x", "/kept", "/no/such"] },
  });
  assert.deepEqual(rendered(store, middle), {
    "etc/": "dir",
    "etc/b": "deep",
    kept: "middle",
    "own/": "dir",
    "own/x": "middle",
  });
  const top = await add(store, {
    name: "top",
    entries: {},
    manifest: { dependencies: needs("first", "middle") },
  });
  assert.deepEqual(rendered(store, top), {
    "etc/": "dir",
    "etc/a": "first",
    "etc/b": "deep",
    kept: "middle",
    "own/": "dir",
    "own/x": "middle",
    shown: "first",
  });
});

test("a part keeps what its files were: owners, times, links, attributes, holes, odd names", async () => {
  using store = newStore();
  const file = join(store.directory, "odd.aci");
  const sparse = Buffer.alloc(1 << 20);
  await writeAci(
    file,
    [
      {
        name: "rootfs/d/",
        type: "directory",
        mode: 0o2751,
        uid: 7,
        gid: 8,
        pax: { mtime: "5.000000007" },
        xattrs: { "user.d": "1" },
      },
      {
        name: "rootfs/d/first",
        mode: 0o4755,
        uid: 1000,
        body: "x",
        pax: { mtime: "1.5" },
        xattrs: { "user.f": "2" },
      },
      { name: "rootfs/d/-second", type: "link", linkname: "rootfs/d/first" },
      { name: "rootfs/d/third", type: "link", linkname: "rootfs/d/first" },
      { name: "rootfs/d/.wh.plain", body: "no whiteout" },
      { name: "rootfs/d/a b\u00e9\n%", body: "odd" },
      { name: "rootfs/d/fifo", type: "fifo", mode: 0o600 },
      { name: "rootfs/d/sparse", body: sparse },
      { name: "rootfs/manifest", body: "mine" },
      { name: "rootfs/gone", body: "gone" },
    ],
    {
      name: "example.com/odd",
      manifest: {
        pathWhitelist: [
          "/d/-second",
          "/d/third",
          "/d/.wh.plain",
          "/d/a b\u00e9\n%",
          "/d/fifo",
          "/d/sparse",
          "/manifest",
        ],
      },
    },
  );
  const record = await fetchImage(store.manager, { source: file, insecureOptions: ["image"], uid: 0 });
  const [tree = ""] = layers(store, record);
  const at = (name: string) => join(tree, name);
  assert.deepEqual(readdirSync(tree).sort(), ["d", "manifest"]);
  assert.deepEqual(readdirSync(at("d")).sort(), [
    "-second",
    ".wh.plain",
    "a b\u00e9\n%",
    "fifo",
    "sparse",
    "third",
  ]);
  const directory = statSync(at("d"), { bigint: true });
  assert.deepEqual(
    [directory.mode & 0o7777n, directory.uid, directory.gid, directory.mtimeNs],
    [0o2751n, 7n, 8n, 5_000_000_007n],
  );
  const second = statSync(at("d/-second"), { bigint: true });
  assert.deepEqual(
    [second.mode & 0o7777n, second.uid, second.nlink, second.mtimeNs],
    [0o4755n, 1000n, 2n, 1_500_000_000n],
  );
  assert.equal(second.ino, statSync(at("d/third"), { bigint: true }).ino);
  assert.equal(readFileSync(at("d/-second"), "utf8"), "x");
  assert.ok(lstatSync(at("d/fifo")).isFIFO());
  assert.equal(readFileSync(at("manifest"), "utf8"), "mine");
  assert.deepEqual(readFileSync(at("d/sparse")), sparse);
  const attributes = execFileSync("getfattr", ["--absolute-names", "-d", at("d"), at("d/third")], {
    encoding: "utf8",
  });
  assert.match(attributes, /user\.d="1"[\s\S]*user\.f="2"/);
  const [layer] = record.layers;
  assert.equal(layer?.of, record.digest);
  assert.match(layer?.diffId ?? "", /^sha256:/);
  assert.ok(
    names(join(store.data, "layers")).includes(record.digest.replace(":", "-")),
    "the whole layer stays",
  );
});

test("the same part is made once, and goes with its last image", async () => {
  using store = newStore();
  await add(store, { name: "base", entries: { a: "1", b: "2" } });
  const manifest = { dependencies: needs("base"), pathWhitelist: ["/a"] };
  const one = await add(store, { name: "one", entries: { x: "1" }, manifest });
  const two = await add(store, { name: "two", entries: { y: "1" }, manifest });
  assert.equal(one.layers[0]?.diffId, two.layers[0]?.diffId);
  const part = (one.layers[0]?.diffId ?? "").replace(":", "-");
  const here = () => names(join(store.data, "layers")).includes(part);
  await removeImage(store.manager, one.id);
  await collectGarbage({ directory: store.data }, { stopOperation: async () => {} });
  assert.ok(here());
  await removeImage(store.manager, two.id);
  assert.ok(!here());
});

test("an image that others need is not removed before them", async () => {
  using store = newStore();
  const base = await add(store, { name: "base", entries: { a: "1" } });
  const top = await add(store, { name: "top", entries: {}, manifest: { dependencies: needs("base") } });
  const refused = refusal("ImageBusy", 1, '"example.com/base:1.35.0"', 'image "example.com/top:1.35.0"');
  await assert.rejects(removeImage(store.manager, base.id), refused);
  await removeImage(store.manager, top.id);
  await removeImage(store.manager, base.id);
  assert.deepEqual(names(join(store.data, "layers")), []);
});

test("dependencies are chosen by labels and by id, and another one is refused", async () => {
  using store = newStore();
  const version = (value: string) => ({ labels: [{ name: "version", value }] });
  const one = await add(store, { name: "base", entries: { v: "1" }, manifest: version("1") });
  const two = await add(store, { name: "base", entries: { v: "2" }, manifest: version("2") });
  const below = async (name: string, dependency: object) => {
    const dependencies = [{ imageName: "example.com/base", ...dependency }];
    return (await add(store, { name, entries: {}, manifest: { dependencies } })).dependencies;
  };
  assert.deepEqual(await below("newest", {}), [two.id]);
  assert.deepEqual(await below("labelled", version("1")), [one.id]);
  assert.deepEqual(await below("by-id", { imageID: one.id }), [one.id]);
  const mixed = refusal(
    "BadImage",
    1,
    'requested value for label "version": "2" differs from fetched aci label value: "1"',
  );
  await assert.rejects(below("mixed", { imageID: one.id, ...version("2") }), mixed);
  const renamed = add(store, {
    name: "renamed",
    entries: {},
    manifest: { dependencies: [{ imageName: "example.com/other", imageID: one.id }] },
  });
  await assert.rejects(
    renamed,
    refusal("BadImage", 1, '"example.com/other" expected but "example.com/base" got found'),
  );
  await assert.rejects(
    below("absent", version("3")),
    refusal("FetchFailed", 1, "example.com/base is nowhere"),
  );
  assert.deepEqual(leftovers(store.data), []);
});

test("an image that needs itself is refused", async () => {
  using store = newStore();
  const labels = [{ name: "version", value: "1" }];
  const exact = add(store, {
    name: "exact",
    entries: {},
    manifest: { labels, dependencies: [{ imageName: "example.com/exact", labels }] },
  });
  const text = "depends on itself: example.com/exact needs example.com/exact";
  await assert.rejects(exact, refusal("BadImage", 1, text));
  assert.deepEqual(names(join(store.data, "images")), []);
});

test("a dependency's verdict is its own: unsigned ones need the operator's word each time", async () => {
  using store = newStore();
  const base = await add(store, { name: "base", entries: { a: "1" } });
  assert.equal((await findImage(store.manager, base.id)).verdict.kind, "insecure");
  const file = join(store.directory, "top.aci");
  await writeAci(file, [], { name: "example.com/top", manifest: { dependencies: needs("base") } });
  const request = { source: file, insecureOptions: [], uid: 0 } as const;
  await assert.rejects(fetchImage(store.manager, request), refusal("NotTrusted", 5));
  assert.equal(names(join(store.data, "images")).length, 1);
});
