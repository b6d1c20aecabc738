/** ACIs from TLS servers into the store: names, pull policies, dependencies, and everything that must not get in. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  fetchImage,
  findImage,
  type ImageRecord,
  listImages,
  type PullPolicy,
  removeImage,
} from "../../../src/manager/images.ts";
import { rejudge } from "../../../src/trust/judge.ts";
import { discoveryPage, etagOf, type Resource } from "../../fixtures/aci-site.ts";
import { startWorld, type World } from "../../fixtures/aci-transfer.ts";
import { type AciOptions, writeAci } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { leftovers, names, newStore, type TestStore } from "../../fixtures/store.ts";
import { makeAuthority } from "../../fixtures/web.ts";

const NAMES = ["example.com", "dl.example.com"];
const authority = await makeAuthority(NAMES);
const template = "https://dl.example.com/{name}-{version}-{arch}.{ext}";
const page = discoveryPage(["ac-discovery", "example.com", template]);
const ARCH = process.arch === "x64" ? "amd64" : "aarch64";

type Place = AsyncDisposable & {
  readonly store: TestStore;
  readonly world: World;
  /** Publishes an ACI as `example.com/<name>` under a version, `latest` too. */
  publish(
    name: string,
    body: string,
    options?: AciOptions & { readonly resource?: Resource },
  ): Promise<Buffer>;
  /** Makes these the host's rules. */
  rules(...rules: readonly object[]): void;
  fetch(
    source: string,
    options?: { readonly pullPolicy?: PullPolicy; readonly insecure?: boolean },
  ): Promise<ImageRecord>;
};

async function place(): Promise<Place> {
  const store = newStore();
  const world = await startWorld(authority, NAMES);
  world.site.set("/", page);
  const manager = { ...store.manager, transfer: world.transfer };
  return {
    store,
    world,
    publish: async (name, body, { resource, ...options } = {}) => {
      const file = join(store.directory, "published.aci");
      await writeAci(file, [{ name: `rootfs/${name}`, body }], { name: `example.com/${name}`, ...options });
      const bytes = readFileSync(file);
      const path = `/example.com/${name}-latest-${ARCH}.aci`;
      world.site.set(path, { body: bytes, ...resource });
      return bytes;
    },
    rules: (...rules) => {
      mkdirSync(join(store.trust, "trust.d"), { recursive: true });
      writeFileSync(join(store.trust, "trust.d/a.json"), JSON.stringify({ version: 1, rules }));
    },
    fetch: async (source, { pullPolicy, insecure = true } = {}) => {
      const insecureOptions = insecure ? (["image"] as const) : [];
      return await fetchImage(manager, { source, insecureOptions, uid: 0, pullPolicy });
    },
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      store[Symbol.dispose]();
    },
  };
}

const version = (value: string, more: readonly object[] = []) => ({
  labels: [
    { name: "version", value },
    { name: "os", value: "linux" },
    { name: "arch", value: ARCH },
    ...more,
  ],
});
const needs = (...images: readonly string[]) => images.map((name) => ({ imageName: `example.com/${name}` }));

test("a name is discovered with this machine's labels and the version latest", async () => {
  await using at = await place();
  const bytes = await at.publish("app", "1", { manifest: version("1.0") });
  const record = await at.fetch("example.com/app");
  assert.deepEqual(
    [record.names, record.kind, record.source],
    [["example.com/app:1.0"], "appc", "example.com/app"],
  );
  assert.deepEqual(
    at.world.asked(),
    [
      "example.com/app?ac-discovery=1",
      "example.com?ac-discovery=1",
      `dl.example.com/example.com/app-latest-${ARCH}.aci`,
    ].map((url) => url.replace("example.com?", "example.com/?")),
  );
  assert.equal(record.remote?.etag, etagOf(bytes));
  assert.deepEqual(leftovers(at.store.data), []);
});

test("labels that are asked for must be in the manifest, with their values", async () => {
  await using at = await place();
  await at.publish("app", "1", { manifest: version("latest", [{ name: "color", value: "red" }]) });
  assert.equal((await at.fetch("example.com/app:latest,color=red")).labels["color"], "red");
  const differs = 'requested value for label "color": "blue" differs from fetched aci label value: "red"';
  await assert.rejects(
    at.fetch("example.com/app,color=blue"),
    refusal("BadImage", 1, '"example.com/app,color=blue"', differs),
  );
  const absent = 'requested label "size" not provided by the image manifest';
  await assert.rejects(at.fetch("example.com/app,size=big"), refusal("BadImage", 1, absent));
  assert.equal((await listImages(at.store.manager)).length, 1);
  assert.deepEqual(leftovers(at.store.data), []);
});

test("a name that nobody answers for, or of another tool, comes with the way to registries, or without", async () => {
  await using at = await place();
  const hintOf = async (source: string) =>
    await at.fetch(source).then(
      () => assert.fail(source),
      (error) => [error.kind, error.hint],
    );
  assert.deepEqual(await hintOf("registry.invalid/app"), [
    "FetchFailed",
    "images in registries are named docker://registry.invalid/app",
  ]);
  assert.deepEqual(await hintOf("debian:12"), [
    "NoSuchImage",
    "images in registries are named docker://debian:12",
  ]);
  assert.deepEqual(await hintOf("docker-daemon:foo"), ["NoSuchImage", undefined]);
});

test("an image of another name, or for another machine, is refused, and nothing of it is kept", async () => {
  await using at = await place();
  await at.publish("app", "1", { name: "example.com/other" });
  const other =
    'error when reading the app name: "example.com/app" expected but "example.com/other" got found';
  await assert.rejects(at.fetch("example.com/app"), refusal("BadImage", 1, other));
  const labels = [
    { name: "os", value: "linux" },
    { name: "arch", value: "s390x" },
  ];
  await at.publish("app", "1", { manifest: { labels } });
  await assert.rejects(at.fetch("example.com/app"), refusal("BadImage", 1, 'label "arch"', '"s390x"'));
  await at.publish("app", "1", { manifest: { labels: [] } });
  assert.deepEqual((await at.fetch("example.com/app")).labels, {});
  assert.equal(names(join(at.store.data, "layers")).length, 2);
});

test("a URL proves no name: what comes by one is not accepted unsigned, what is found by its name is", async () => {
  await using at = await place();
  await at.publish("app", "1");
  at.rules({ scope: "example.com", requirements: [{ kind: "unsigned" }] });
  const url = `https://dl.example.com/example.com/app-latest-${ARCH}.aci`;
  const refused = refusal("NotTrusted", 5, '"example.com/app:1.35.0"', "a URL proves no name");
  await assert.rejects(at.fetch(url, { insecure: false }), refused);
  const { verdict } = await at.fetch("example.com/app", { insecure: false });
  assert.equal(verdict.kind, "unsigned");
  // The bytes are those that were found by the name.
  assert.equal((await at.fetch(url, { insecure: false, pullPolicy: "new" })).verdict.kind, "unsigned");
});

test("a rule for one version decides for who asks for that version, whatever was asked for when the image came", async () => {
  await using at = await place();
  const labels = [{ name: "version", value: "1.0" }];
  const rule = (scope: string, kind: string) => ({ scope, requirements: [{ kind }] });
  const found = async (name: string) => {
    const { trust } = at.store.manager;
    assert.ok(trust !== undefined);
    const record = await findImage(at.store.manager, name);
    return await rejudge(trust, {
      record,
      source: name,
      insecureOptions: [],
      blob: async () => Buffer.alloc(0),
    });
  };
  const needing = async (dependency: object) => {
    const dependencies = [{ imageName: "example.com/app", ...dependency }];
    const file = join(at.store.directory, "needing.aci");
    await writeAci(file, [], { name: "example.org/needing", manifest: { dependencies } });
    return await at.fetch(file, { insecure: false });
  };
  const bytes = await at.publish("app", "1", { manifest: version("1.0") });
  at.world.site.set(`/example.com/app-1.0-${ARCH}.aci`, { body: bytes });
  const local = { ...rule("example.org", "unsigned"), transport: "file" };

  at.rules(local, rule("example.com/app:1.0", "unsigned"));
  await assert.rejects(at.fetch("example.com/app", { insecure: false }), refusal("NotTrusted", 5, "no rule"));
  const { id } = await at.fetch("example.com/app:1.0", { insecure: false });
  assert.equal((await found("example.com/app:1.0")).kind, "unsigned");
  await assert.rejects(found("example.com/app"), refusal("NotTrusted", 5, '"example.com/app"', "no rule"));
  assert.deepEqual((await needing({ labels })).dependencies, [id]);
  await assert.rejects(needing({}), refusal("NotTrusted", 5, '"example.com/app"', "no rule"));
  await removeImage(at.store.manager, "example.org/needing");
  await removeImage(at.store.manager, id);

  at.rules(local, rule("example.com", "unsigned"), rule("example.com/app:1.0", "reject"));
  await at.fetch("example.com/app", { insecure: false });
  assert.equal((await found("example.com/app")).kind, "unsigned");
  const rejected = refusal("NotTrusted", 5, '"example.com/app:1.0"', "the rule rejects");
  await assert.rejects(found("example.com/app:1.0"), rejected);
  await assert.rejects(needing({ labels }), rejected);
  await assert.rejects(needing({ imageID: id, labels }), rejected);
  assert.deepEqual((await needing({})).dependencies, [id]);
});

test("by its URL an image has the name that its manifest says", async () => {
  await using at = await place();
  await at.publish("app", "1");
  const url = `https://dl.example.com/example.com/app-latest-${ARCH}.aci`;
  const record = await at.fetch(url);
  assert.deepEqual([record.names, record.source, record.remote?.url], [["example.com/app:1.35.0"], url, url]);
  const text = "does not end in .aci";
  await assert.rejects(
    at.fetch("https://dl.example.com/image.tar"),
    refusal("BadReference", 2, text, "docker://"),
  );
  await assert.rejects(
    at.fetch(url.replace("https:", "http:")),
    refusal("FetchFailed", 1, "is not encrypted"),
  );
});

test("update asks with the ETag; an image that is the same is kept, one that changed is another", async () => {
  await using at = await place();
  const one = await at.publish("app", "1");
  const first = await at.fetch("example.com/app", { pullPolicy: "update" });
  at.world.asked();
  const again = await at.fetch("example.com/app", { pullPolicy: "update" });
  assert.equal(again.id, first.id);
  assert.ok((again.remote?.checked ?? 0) > (first.remote?.checked ?? 0));
  assert.deepEqual(at.world.asked().length, 3);
  const two = await at.publish("app", "2");
  const second = await at.fetch("example.com/app");
  assert.notEqual(second.id, first.id);
  assert.deepEqual([first.remote?.etag, second.remote?.etag], [etagOf(one), etagOf(two)]);
  assert.deepEqual(second.names, ["example.com/app:1.35.0"]);
});

test("while max-age lasts, the server of the image is not asked, whatever it has by then", async () => {
  await using at = await place();
  await at.publish("app", "1", { resource: { headers: { "cache-control": "max-age=3600" } } });
  const first = await at.fetch("example.com/app");
  assert.equal(first.remote?.maxAge, 3600);
  await at.publish("app", "2");
  at.world.asked();
  const second = await at.fetch("example.com/app");
  assert.deepEqual([second.id, second.remote], [first.id, first.remote]);
  assert.ok(at.world.asked().every((url) => !url.startsWith("dl.")));
});

test("new asks only for what the store lacks, never asks nobody", async () => {
  await using at = await place();
  const missing = refusal("NoSuchImage", 4, '"example.com/app"');
  await assert.rejects(at.fetch("example.com/app", { pullPolicy: "never" }), missing);
  assert.deepEqual(at.world.asked(), []);
  await at.publish("app", "1");
  const first = await at.fetch("example.com/app", { pullPolicy: "new" });
  at.world.asked();
  const url = first.remote?.url ?? "";
  for (const pullPolicy of ["new", "never"] as const) {
    for (const source of ["example.com/app", "example.com/app:1.35.0,os=linux", url]) {
      assert.equal((await at.fetch(source, { pullPolicy })).id, first.id);
    }
  }
  assert.deepEqual(at.world.asked(), []);
  await assert.rejects(
    at.fetch("example.com/app:2", { pullPolicy: "never" }),
    refusal("NoSuchImage", 4, '"example.com/app:2"'),
  );
});

test("a failing server is an error under update, even when the store has the image", async () => {
  await using at = await place();
  await at.publish("app", "1");
  await at.fetch("example.com/app");
  at.world.site.set(`/example.com/app-latest-${ARCH}.aci`, { status: 500 });
  await assert.rejects(at.fetch("example.com/app"), refusal("FetchFailed", 1, "answers 500"));
});

test("dependencies are fetched, each under its own name, and rendered below", async () => {
  await using at = await place();
  await at.publish("base", "base");
  await at.publish("lib", "lib", { manifest: { ...version("1"), dependencies: needs("base") } });
  await at.publish("app", "app", { manifest: { ...version("1"), dependencies: needs("lib", "base") } });
  const app = await at.fetch("example.com/app");
  const images = await listImages(at.store.manager);
  const id = (name: string) =>
    images.find((image) => image.names[0]?.startsWith(`example.com/${name}`))?.digest;
  assert.deepEqual(
    app.layers.map(({ diffId }) => diffId),
    [id("lib"), id("base"), id("app")],
  );
  assert.equal(images.length, 3);
  assert.equal(images.filter(({ verdict }) => verdict.kind === "insecure").length, 3);
  // base is asked for twice, and fetched once.
  assert.equal(at.world.asked().filter((url) => url.startsWith("dl.example.com/example.com/base")).length, 1);
  assert.deepEqual(leftovers(at.store.data), []);
});

test("under update an unchanged image gets what its dependencies have become", async () => {
  await using at = await place();
  await at.publish("base", "old");
  await at.publish("app", "app", { manifest: { ...version("1"), dependencies: needs("base") } });
  const first = await at.fetch("example.com/app");
  await at.publish("base", "new");
  const second = await at.fetch("example.com/app");
  assert.equal(second.id, first.id);
  assert.notEqual(second.layers[0]?.diffId, first.layers[0]?.diffId);
  assert.equal(second.layers[1]?.diffId, first.layers[1]?.diffId);
});

test("a local file's dependencies are looked for in the store, and then elsewhere", async () => {
  await using at = await place();
  await at.publish("base", "base");
  const file = join(at.store.directory, "local.aci");
  await writeAci(file, [], { name: "example.com/local", manifest: { dependencies: needs("base") } });
  const record = await at.fetch(file);
  assert.equal(record.layers.length, 2);
  at.world.asked();
  assert.deepEqual((await at.fetch(file)).layers, record.layers);
  assert.deepEqual(at.world.asked(), []);
  await at.fetch(file, { pullPolicy: "update" });
  assert.ok(at.world.asked().length > 0);
});

test("a dependency's id and size are held", async () => {
  await using at = await place();
  const bytes = await at.publish("base", "base");
  const needing = async (dependency: object) => {
    const dependencies = [{ imageName: "example.com/base", ...dependency }];
    await at.publish("app", "app", { manifest: { ...version("1"), dependencies } });
    return await at.fetch("example.com/app");
  };
  const imageID = `sha512-${"0".repeat(128)}`;
  await assert.rejects(needing({ imageID }), refusal("DigestMismatch", 1, '"example.com/base"', imageID));
  await assert.rejects(
    needing({ size: bytes.length + 1 }),
    refusal("DigestMismatch", 1, `should have ${bytes.length + 1} bytes`),
  );
  assert.deepEqual(
    (await listImages(at.store.manager)).map(({ names: [name] }) => name),
    [],
  );
  const found = await needing({ size: bytes.length });
  const id = found.dependencies?.[0] ?? "";
  at.world.asked();
  await needing({ imageID: id });
  assert.ok(
    at.world.asked().every((url) => !url.includes("base")),
    "what is demanded by id and here is not asked for",
  );
});

test("cycles, long chains and crowds of dependencies end in a sentence", async () => {
  await using at = await place();
  await at.publish("a", "a", { manifest: { ...version("1"), dependencies: needs("b") } });
  await at.publish("b", "b", { manifest: { ...version("1"), dependencies: needs("a") } });
  const cycle = "depends on itself: example.com/a needs example.com/b needs example.com/a";
  await assert.rejects(at.fetch("example.com/a"), refusal("BadImage", 1, cycle));
  for (let n = 0; n < 20; n++) {
    await at.publish(`chain${n}`, "x", {
      manifest: { ...version("1"), dependencies: needs(`chain${n + 1}`) },
    });
  }
  await assert.rejects(
    at.fetch("example.com/chain0"),
    refusal("BadImage", 1, "more than 16 images in a row"),
  );
  for (let n = 0; n < 40; n++) await at.publish(`leaf${n}`, String(n));
  const leaves = (from: number) => needs(...Array.from({ length: 20 }, (_, at) => `leaf${from + at}`));
  for (const n of [0, 20])
    await at.publish(`many${n}`, "x", { manifest: { ...version("1"), dependencies: leaves(n) } });
  await at.publish("crowd", "x", {
    manifest: {
      ...version("1"),
      dependencies: [
        ...needs("many0", "many20"),
        ...leaves(0),
        ...needs(...Array.from({ length: 30 }, (_, n) => `more${n}`)),
      ],
    },
  });
  for (let n = 0; n < 30; n++) await at.publish(`more${n}`, String(n));
  await assert.rejects(at.fetch("example.com/crowd"), refusal("BadImage", 1, "more than 64 images"));
  assert.deepEqual(leftovers(at.store.data), []);
});

test("an unsigned image is refused, and neither it nor what it needs is kept", async () => {
  await using at = await place();
  await at.publish("base", "base");
  await at.publish("app", "app", { manifest: { ...version("1"), dependencies: needs("base") } });
  await assert.rejects(
    at.fetch("example.com/app", { insecure: false }),
    refusal("NotTrusted", 5, '"example.com/app"'),
  );
  for (const where of ["images", "layers", "blobs/sha256", "tags", "inbox"])
    assert.deepEqual(names(join(at.store.data, where)), [], where);
});

test("an image that was accepted unsigned is fetched anew when signatures count again", async () => {
  await using at = await place();
  await at.publish("app", "app", { resource: { headers: { "cache-control": "max-age=3600" } } });
  await at.fetch("example.com/app");
  at.world.asked();
  await assert.rejects(at.fetch("example.com/app", { insecure: false }), refusal("NotTrusted", 5));
  assert.ok(
    at.world.asked().some((url) => url.endsWith(".aci.asc")),
    "its signature is asked for",
  );
});

test("an unchanged image that is fetched without a check has no verdict of a check, of whatever it had before", async () => {
  await using at = await place();
  await at.publish("app", "app");
  at.rules({ scope: "example.com", requirements: [{ kind: "unsigned" }] });
  const { id } = await at.fetch("example.com/app", { insecure: false });
  at.rules();
  const record = await at.fetch("example.com/app");
  assert.deepEqual([record.id, record.verdict.kind], [id, "insecure"]);
  assert.equal(
    (await findImage(at.store.manager, id)).verdict.kind,
    "unsigned",
    "to be judged at each start",
  );
});

test("an archive that is no ACI leaves nothing", async () => {
  await using at = await place();
  const path = `/example.com/app-latest-${ARCH}.aci`;
  for (const body of ["no archive", Buffer.alloc(100_000)]) {
    at.world.site.set(path, { body });
    await assert.rejects(at.fetch("example.com/app"), refusal("BadImage", 1, '"example.com/app"'));
  }
  at.world.site.delete(path);
  await assert.rejects(at.fetch("example.com/app"), refusal("NoSuchImage", 4, path, "answers 404"));
  for (const where of ["images", "layers", "inbox"])
    assert.deepEqual(names(join(at.store.data, where)), [], where);
});
