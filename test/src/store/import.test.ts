/** Imports by the real gantry-unpack: every form and compression, every lie, and two at once. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  fetchImage,
  imageManifest,
  inspectImage,
  listImages,
  removeImage,
} from "../../../src/manager/images.ts";
import {
  addBlob,
  addManifest,
  blobPath,
  busyboxImage,
  digestOf,
  type Image,
  MEDIA_TYPES,
  manyLayerImage,
  ociConfiguration,
  writeAci,
  writeDockerArchive,
  writeIndex,
  writeOciArchive,
  writeOciLayout,
} from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { leftovers, names, newStore, type TestStore } from "../../fixtures/store.ts";
import { type Compression, compress, tarOf } from "../../fixtures/tar.ts";
import { busyboxEntries } from "../../fixtures/trees.ts";

const busybox = await busyboxImage();
const small: Image = {
  layers: [await tarOf([{ name: "etc/passwd", body: "root:x:0:0::/:/bin/sh\n" }])],
  config: { Cmd: ["/a"] },
};

function fetch(store: TestStore, source: string) {
  return fetchImage(store.manager, { source, insecureOptions: ["image"], uid: 0 });
}

function layerTree(store: TestStore, diffId: string | undefined): string {
  return join(store.data, "layers", (diffId ?? "").replace(":", "-"));
}

for (const compression of ["none", "gzip", "zstd", "xz", "bzip2"] as const satisfies readonly Compression[]) {
  test(`an OCI layout with ${compression} layers`, async () => {
    using store = newStore();
    const layout = join(store.directory, "layout");
    const manifest = writeOciLayout(layout, busybox, { compression, ref: "1" });
    const record = await fetch(store, `oci:${layout}:1`);
    assert.equal(record.id, manifest.digest.replace(":", "-"));
    const [layer] = record.layers;
    assert.equal(layer?.diffId, digestOf(busybox.layers[0] ?? Buffer.alloc(0)));
    const tree = layerTree(store, layer?.diffId);
    assert.equal(statSync(join(tree, "bin/sh")).nlink, statSync(join(tree, "bin/busybox")).nlink);
    assert.equal(statSync(join(tree, "home/web")).uid, 1000);
    assert.equal(statSync(join(tree, "tmp")).mode & 0o7777, 0o1777);
    assert.equal(layer?.unpackedSize, statSync("/bin/busybox").size + 221 + 91 + 6);
    assert.deepEqual(leftovers(store.data), []);
  });

  test(`an archive compressed with ${compression}, by its content`, async () => {
    using store = newStore();
    const file = join(store.directory, "image.tar");
    writeOciArchive(file, small, { outer: compression, ref: "r.example/a:1" });
    assert.deepEqual((await fetch(store, file)).names, ["r.example/a:1"]);
    const id = await writeDockerArchive(file, small, { outer: compression, tags: ["b:1"] });
    assert.equal((await fetch(store, file)).id, id.replace(":", "-"));
    const aci = await writeAci(file, [{ name: "rootfs/a", body: "a" }], { compression });
    const record = await fetch(store, file);
    assert.equal(record.id, aci);
    assert.deepEqual(
      [record.layers[0]?.digest, record.layers[0]?.size],
      [digestOf(readFileSync(file)), statSync(file).size],
    );
    assert.deepEqual(leftovers(store.data), []);
  });
}

test("an .aci with all of busybox", async () => {
  using store = newStore();
  const file = join(store.directory, "busybox.aci");
  const id = await writeAci(file, busyboxEntries("rootfs/"), { name: "example.com/busybox" });
  const record = await fetch(store, file);
  assert.deepEqual([record.id, record.kind, record.names], [id, "appc", ["example.com/busybox:1.35.0"]]);
  const tree = layerTree(store, record.digest);
  assert.ok(lstatSync(join(tree, "sbin")).isSymbolicLink());
  assert.equal(statSync(join(tree, "bin/sh")).nlink, statSync(join(tree, "bin/busybox")).nlink);
  assert.deepEqual(
    (await imageManifest(store.manager, "example.com/busybox"))["name"],
    "example.com/busybox",
  );
});

test("the appc manifest of an OCI image names the user's groups from the image's own passwd", async () => {
  const below = await tarOf([{ name: "etc/passwd", body: "web:x:1:1::/:/bin/sh\n" }]);
  const cases: readonly (readonly [user: string, group: string, gids: readonly number[] | undefined])[] = [
    ["web", "2000", [4000, 4001]],
    ["1000", "2000", undefined],
    ["4711", "0", undefined],
    ["web:logs", "logs", undefined],
    ["", "0", undefined],
  ];
  for (const [User, group, supplementaryGIDs] of cases) {
    using store = newStore();
    const layout = join(store.directory, "layout");
    writeOciLayout(layout, { layers: [below, ...busybox.layers], config: { User } });
    const { id } = await fetch(store, `oci:${layout}`);
    const app = (await imageManifest(store.manager, id))["app"] as Record<string, unknown>;
    assert.deepEqual([app["group"], app["supplementaryGIDs"]], [group, supplementaryGIDs], User);
  }
});

test("the record tells source, verdict and time; inspection adds pods and size", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, small);
  const before = Date.now() * 1000;
  const record = await fetch(store, `oci:${layout}`);
  assert.equal(record.source, `oci:${layout}`);
  assert.deepEqual([record.verdict.kind, record.verdict.uid], ["insecure", 0]);
  assert.ok(record.imported >= before && record.verdict.time >= before);
  const { unpackedSize, pods } = await inspectImage(store.manager, "layout");
  assert.deepEqual([unpackedSize, pods], [22, []]);
});

test("layers are shared: what is there is not unpacked again, and goes with its last image", async () => {
  using store = newStore();
  const many = await manyLayerImage(6);
  const layout = join(store.directory, "many");
  writeOciLayout(layout, many);
  const all = await fetch(store, `oci:${layout}`);
  assert.equal(all.layers.length, 7);
  const tree = layerTree(store, all.layers[0]?.diffId);
  const { ino } = statSync(tree);
  const base = join(store.directory, "base");
  writeOciLayout(base, { ...busybox, layers: many.layers.slice(0, 1) });
  const one = await fetch(store, `oci:${base}`);
  assert.equal(statSync(tree).ino, ino);
  assert.deepEqual(one.layers[0], { ...all.layers[0] });
  await removeImage(store.manager, all.id);
  assert.equal(names(join(store.data, "layers")).length, 2);
  await removeImage(store.manager, one.id);
  for (const place of ["layers", "blobs/sha256", "images", "tags"]) {
    assert.deepEqual(names(join(store.data, place)), [], place);
  }
});

test("two imports of the same image at once both succeed and make one", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, await manyLayerImage(4));
  const records = await Promise.all([1, 2, 3].map(() => fetch(store, `oci:${layout}`)));
  assert.equal(new Set(records.map(({ id }) => id)).size, 1);
  assert.equal((await listImages(store.manager)).length, 1);
  assert.equal(names(join(store.data, "layers")).length, 10);
  assert.deepEqual(leftovers(store.data), []);
});

test("a name means the image imported last, and removing that revives no older one", async () => {
  using store = newStore();
  const file = join(store.directory, "a.tar");
  const first = await writeDockerArchive(file, small, { tags: ["app:1"] });
  await fetch(store, file);
  await writeDockerArchive(file, { ...small, config: { Cmd: ["/b"] } }, { tags: ["app:1"] });
  const second = await fetch(store, file);
  const [newest, oldest] = await listImages(store.manager);
  assert.deepEqual([newest?.id, newest?.names], [second.id, ["docker.io/library/app:1"]]);
  assert.deepEqual([oldest?.id, oldest?.names], [first.replace(":", "-"), []]);
  assert.equal((await removeImage(store.manager, "app:1")).id, second.id);
  await assert.rejects(inspectImage(store.manager, "app:1"), refusal("NoSuchImage", 4, '"app:1"'));
});

test("images are found by id, by the beginning of one, by name and by labels", async () => {
  using store = newStore();
  const aci = join(store.directory, "a.aci");
  const id = await writeAci(aci, [], { name: "example.com/app" });
  await fetch(store, aci);
  const forms = [
    id,
    id.slice(0, 19),
    id.slice(7, 19),
    "example.com/app:1.35.0",
    "example.com/app",
    "example.com/app,os=linux",
  ];
  for (const form of forms) assert.equal((await inspectImage(store.manager, form)).id, id, form);
  for (const form of [
    "sha512-000000000000",
    "example.com/app:2",
    "example.com/app,os=darwin",
    "example.com/ap",
  ]) {
    await assert.rejects(inspectImage(store.manager, form), refusal("NoSuchImage", 4, form), form);
  }
  await assert.rejects(inspectImage(store.manager, aci), refusal("BadReference", 2, aci));
});

test("the beginning of two ids is ambiguous", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, small);
  const { id } = await fetch(store, `oci:${layout}`);
  const twin = id.slice(0, 40) + [...id.slice(40)].reverse().join("");
  const path = (name: string) => join(store.data, "images", `${name}.json`);
  writeFileSync(path(twin), readFileSync(path(id), "utf8").replace(id, twin));
  const find = inspectImage(store.manager, id.slice(0, 30));
  await assert.rejects(find, refusal("AmbiguousName", 2, id.slice(0, 30), id, twin));
});

test("an id is nothing to fetch", async () => {
  using store = newStore();
  await assert.rejects(
    fetch(store, "sha256-0123456789ab"),
    refusal("BadReference", 2, "sha256-0123456789ab"),
  );
  await assert.rejects(fetch(store, "oci:/no/such"), refusal("NoSuchImage", 4, '"/no/such"'));
  assert.deepEqual(names(join(store.data, "inbox")), []);
});

test("with the pull policies new and never the store's image is the answer, and the verdict is held against it", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, small, { ref: "registry.test:5000/app:1" });
  const { id } = await fetch(store, `oci:${layout}`);
  const source = "docker://registry.test:5000/app:1";
  for (const pullPolicy of ["new", "never"] as const) {
    const request = { source, pullPolicy, uid: 0 };
    assert.equal((await fetchImage(store.manager, { ...request, insecureOptions: ["image"] })).id, id);
    await assert.rejects(
      fetchImage(store.manager, { ...request, insecureOptions: [] }),
      refusal("NotTrusted", 5, `"${source}"`, "--insecure-options=image"),
    );
  }
  const absent = { source: "docker://registry.test/absent", pullPolicy: "never" as const };
  await assert.rejects(
    fetchImage(store.manager, { ...absent, uid: 0, insecureOptions: [] }),
    refusal("NoSuchImage", 4, '"docker://registry.test/absent"'),
  );
});

test("a file's image is found by its bare name, and never when a registry's is asked for", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, small);
  const { id } = await fetch(store, `oci:${layout}`);
  for (const name of ["layout", "layout:latest", "localhost/layout", "docker://localhost/layout"]) {
    assert.equal((await inspectImage(store.manager, name)).id, id, name);
  }
  const aci = join(store.directory, "a.aci");
  await writeAci(aci, [], { name: "bare" });
  assert.equal((await fetch(store, aci)).id, (await inspectImage(store.manager, "bare:1.35.0")).id);
  const sources = ["docker://layout", "docker:layout", "oci://layout:latest", "docker://bare:1.35.0"];
  for (const source of sources) {
    const request = { source, pullPolicy: "never", uid: 0, insecureOptions: ["image"] } as const;
    await assert.rejects(fetchImage(store.manager, request), refusal("NoSuchImage", 4, `"${source}"`));
    await assert.rejects(inspectImage(store.manager, source), refusal("NoSuchImage", 4, `"${source}"`));
  }
});

test("what a rule for files accepts is not found when the registry's image of that name is asked for", async () => {
  using store = newStore();
  const rules = [
    { scope: "*", transport: "file", requirements: [{ kind: "unsigned" }] },
    { scope: "docker.io", transport: "registry", requirements: [{ kind: "reject" }] },
  ];
  mkdirSync(join(store.trust, "trust.d"), { recursive: true });
  writeFileSync(join(store.trust, "trust.d/a.json"), JSON.stringify({ version: 1, rules }));
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, small, { ref: "docker.io/library/nginx:latest" });
  const request = { insecureOptions: [], uid: 0 };
  const { id } = await fetchImage(store.manager, { ...request, source: `oci:${layout}` });
  for (const name of ["nginx", "docker.io/library/nginx:latest", id])
    assert.equal((await inspectImage(store.manager, name)).verdict.kind, "unsigned", name);
  for (const source of ["docker://nginx", "docker:nginx:latest", "oci://docker.io/library/nginx"]) {
    const gone = refusal("NoSuchImage", 4, `"${source}"`);
    await assert.rejects(fetchImage(store.manager, { ...request, source, pullPolicy: "never" }), gone);
    await assert.rejects(inspectImage(store.manager, source), gone);
  }
});

test("without --insecure-options=image an image nobody vouches for is looked at, and nothing of it stays", async () => {
  using store = newStore();
  const layout = join(store.directory, "it's here");
  writeOciLayout(layout, small, { ref: "r.example/app:1" });
  const request = { source: `oci:${layout}`, insecureOptions: [], uid: 0 };
  const command = `gantry fetch --insecure-options=image 'oci:${layout.replace("'", "'\\''")}'`;
  await assert.rejects(
    fetchImage(store.manager, request),
    refusal("NotTrusted", 5, '"r.example/app:1"', command),
  );
  for (const place of ["images", "layers", "blobs/sha256", "inbox", "tags"]) {
    assert.deepEqual(names(join(store.data, place)), []);
  }
});

type Damage = (layout: string, layerBlob: string) => void;

/** Each is done to the one gzip layer of a good layout, the layout's own descriptors telling the truth or not. */
const DAMAGES: readonly (readonly [
  name: string,
  damage: Damage,
  kind: Parameters<typeof refusal>[0],
  text: string,
])[] = [
  [
    "a changed byte",
    (_, blob) => writeFileSync(blob, flip(readFileSync(blob))),
    "DigestMismatch",
    "layer sha256:",
  ],
  ["a cut layer", (_, blob) => truncateSync(blob, 100), "DigestMismatch", "has 100"],
  ["bytes behind it", (_, blob) => appendFileSync(blob, "x"), "DigestMismatch", "layer sha256:"],
  ["no layer at all", (_, blob) => rmSync(blob), "BadImage", "lacks layer sha256:"],
];

function flip(bytes: Buffer): Buffer {
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

for (const [name, damage, kind, text] of DAMAGES) {
  test(`refuses ${name}, and leaves nothing`, async () => {
    using store = newStore();
    const layout = join(store.directory, "layout");
    const [tar = Buffer.alloc(0)] = small.layers;
    writeOciLayout(layout, small);
    damage(layout, blobPath(layout, digestOf(compress(tar, "gzip"))));
    await assert.rejects(fetch(store, `oci:${layout}`), refusal(kind, 1, text));
    assertEmpty(store);
  });
}

/** A layout whose layer blob is `bytes`, truthfully described, and whose diff id is `diffId`. */
function layoutOfLayer(store: TestStore, bytes: Buffer, diffId: string): string {
  const layout = join(store.directory, "layout");
  const configuration = { ...ociConfiguration(small), rootfs: { type: "layers", diff_ids: [diffId] } };
  const config = addBlob(layout, MEDIA_TYPES.config, Buffer.from(JSON.stringify(configuration)));
  const layer = addBlob(layout, `${MEDIA_TYPES.layer}+gzip`, bytes);
  writeIndex(layout, [addManifest(layout, { config, layers: [layer] })]);
  return layout;
}

test("refuses a layer whose tar has another diff id, naming both", async () => {
  using store = newStore();
  const tar = await tarOf([{ name: "a", body: "a" }]);
  const wrong = digestOf(Buffer.from("something else"));
  const layout = layoutOfLayer(store, compress(tar, "gzip"), wrong);
  await assert.rejects(
    fetch(store, `oci:${layout}`),
    refusal("DigestMismatch", 1, wrong.slice(7), digestOf(tar).slice(7)),
  );
  assertEmpty(store);
});

test("refuses a layer that is garbage, or climbs out, naming the layer", async () => {
  using store = newStore();
  const climbing = await tarOf([{ name: "a/../../escape", body: "x" }]);
  for (const tar of [Buffer.from("garbage".repeat(1000)), climbing]) {
    const bytes = compress(tar, "gzip");
    const layout = layoutOfLayer(store, bytes, digestOf(tar));
    await assert.rejects(fetch(store, `oci:${layout}`), refusal("BadImage", 1, `layer ${digestOf(bytes)}`));
    assertEmpty(store);
    rmSync(layout, { recursive: true });
  }
});

test("one bad layer of many stops the others and leaves nothing", async () => {
  using store = newStore();
  const many = await manyLayerImage(5);
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, many);
  const [last] = many.layers.slice(-1);
  const blob = blobPath(layout, digestOf(compress(last ?? Buffer.alloc(0), "gzip")));
  writeFileSync(blob, flip(readFileSync(blob)));
  await assert.rejects(fetch(store, `oci:${layout}`), refusal("DigestMismatch", 1, "layer sha256:"));
  assert.deepEqual([names(join(store.data, "images")), leftovers(store.data)], [[], []]);
});

test("an ACI with a wrong manifest, a stray file, or none is refused and leaves nothing", async () => {
  using store = newStore();
  const file = join(store.directory, "bad.aci");
  await writeAci(file, [], { manifestBytes: Buffer.from("{") });
  await assert.rejects(fetch(store, file), refusal("BadImage", 1, file, "JSON"));
  await writeAci(file, [{ name: "stray", body: "x" }]);
  await assert.rejects(fetch(store, file), refusal("BadImage", 1, file, "stray"));
  await writeAci(file, [], { manifest: { name: "UPPER" } });
  await assert.rejects(fetch(store, file), refusal("BadImage", 1, file, '"UPPER"'));
  writeFileSync(file, "no archive");
  await assert.rejects(fetch(store, file), refusal("BadImage", 1, file));
  assertEmpty(store);
});

test("a tar that is no image is refused", async () => {
  using store = newStore();
  const file = join(store.directory, "some.tar");
  writeFileSync(file, await tarOf([{ name: "readme", body: "x" }]));
  await assert.rejects(
    fetch(store, file),
    refusal("BadImage", 1, file, "no ACI, no OCI archive and no docker save"),
  );
  assertEmpty(store);
});

test("an import can be cancelled and leaves nothing", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, busybox, { compression: "xz" });
  const controller = new AbortController();
  const request = { source: `oci:${layout}`, insecureOptions: ["image"] as const, uid: 0 };
  const { unpacker: unpack } = store.manager;
  assert.ok(unpack !== undefined);
  const unpacker: typeof unpack = (asked) => {
    controller.abort();
    return unpack(asked);
  };
  const fetching = fetchImage({ ...store.manager, unpacker }, { ...request, signal: controller.signal });
  await assert.rejects(fetching, refusal("Cancelled", 1));
  assertEmpty(store);
});

test("an unpacker that dies is told as such and leaves nothing", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, small);
  for (const [end, text] of [
    [{ killed: "oom-kill" }, "was stopped: oom-kill"],
    [{ status: 127 }, "status 127 and no report"],
  ] as const) {
    const manager = { ...store.manager, unpacker: async () => end };
    const fetching = fetchImage(manager, { source: `oci:${layout}`, insecureOptions: ["image"], uid: 0 });
    await assert.rejects(fetching, refusal("Internal", 1, "layer sha256:", text));
    assertEmpty(store);
  }
});

test("a FIFO, a device and a link to one are no images, and nobody waits for them", async () => {
  using store = newStore();
  const fifo = join(store.directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  for (const [name, target] of [
    ["fifo.aci", fifo],
    ["zero.aci", "/dev/zero"],
    ["fifo.tar", fifo],
  ] as const) {
    const path = join(store.directory, name);
    symlinkSync(target, path);
    await assert.rejects(fetch(store, path), refusal("BadImage", 1, name, "not a regular file"));
    assertEmpty(store);
  }
});

function assertEmpty(store: TestStore): void {
  for (const place of ["images", "layers", "tags", "blobs/sha256", "inbox"]) {
    assert.deepEqual(names(join(store.data, place)), [], place);
  }
}
