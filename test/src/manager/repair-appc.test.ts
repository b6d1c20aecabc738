/** Repair of appc images: layers of dependencies, and parts of layers. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { GantryError } from "../../../src/base/errors.ts";
import { fetchImage, type ImageRecord, listImages } from "../../../src/manager/images.ts";
import type { Transfer } from "../../../src/manager/transfer.ts";
import { verifyImage } from "../../../src/manager/verify.ts";
import { writeAci } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { leftovers, newStore, type TestStore } from "../../fixtures/store.ts";

const needs = (...images: readonly string[]) => images.map((name) => ({ imageName: `example.com/${name}` }));

/** Where the ACI `example.com/<name>` lies. */
const fileOf = ({ directory }: TestStore, name: string) => join(directory, `${name}.aci`);

/** Serves `https://example.com/<name>.aci` and the names, as long as the file is there. */
function server(store: TestStore): Transfer {
  return async (_, { place }) => {
    const name = place.kind === "url" ? place.url.slice(20, -4) : place.app.name.slice(12);
    const url = `https://example.com/${name}.aci`;
    const path = fileOf(store, name);
    try {
      const length = readFileSync(path).length;
      const remote = { url, maxAge: 0, checked: 1 };
      return { kind: "archive", remote, extent: { path, offset: 0, length }, signatures: [] };
    } catch {
      throw new GantryError("NoSuchImage", `"${url}" is not found`);
    }
  };
}

/** "base" has a whitelist of its own, "lib" one for what it depends on; "app" is what is repaired. */
async function importApp(store: TestStore): Promise<ImageRecord> {
  const write = async (name: string, paths: readonly string[], manifest: Record<string, unknown> = {}) => {
    const entries = paths.map((path) => ({ name: `rootfs/${path}`, mode: 0o644, body: `${name} ${path}` }));
    await writeAci(fileOf(store, name), entries, { name: `example.com/${name}`, manifest });
  };
  await write("base", ["one", "two", "three"], { pathWhitelist: ["/one", "/two"] });
  await write("lib", ["lib", "more"], { dependencies: needs("base"), pathWhitelist: ["/one", "/lib"] });
  await write("app", ["app"], { dependencies: needs("lib") });
  const manager = { ...store.manager, transfer: server(store) };
  return await fetchImage(manager, { source: fileOf(store, "app"), insecureOptions: ["image"], uid: 0 });
}

const placeOf = (store: TestStore, diffId: string) => join(store.data, "layers", diffId.replace(":", "-"));

const verify = (store: TestStore, image: string, repair: boolean) =>
  verifyImage({ ...store.manager, transfer: server(store) }, { image, repair, uid: 0 });

async function byName(store: TestStore, name: string): Promise<ImageRecord> {
  const found = (await listImages(store.manager)).find(({ names }) =>
    names[0]?.startsWith(`example.com/${name}`),
  );
  assert.ok(found);
  return found;
}

/** Every layer that any image mounts or is a part of. */
async function allLayers(store: TestStore): Promise<string[]> {
  const records = await listImages(store.manager);
  return [
    ...new Set(records.flatMap(({ layers }) => layers.flatMap(({ diffId, of }) => [diffId, of ?? diffId]))),
  ];
}

function damage(store: TestStore, layers: readonly string[]): void {
  for (const layer of layers) writeFileSync(join(placeOf(store, layer), "added"), "");
}

test("any layer of an image, its dependencies' and parts among them, is made what it was", async () => {
  using store = newStore();
  const app = await importApp(store);
  const layers = await allLayers(store);
  assert.equal(layers.length, 6, "three whole ones, and base's part, lib's part of that, and lib's own part");
  const before = await listImages(store.manager);
  for (const damaged of [...layers.map((layer) => [layer]), layers]) {
    damage(store, damaged);
    if (app.layers.some(({ diffId }) => damaged.includes(diffId))) {
      const check = await verify(store, app.id, true);
      assert.deepEqual([check.ok, check.repaired?.ok], [false, true], damaged.join(" "));
    }
    // A whole layer of which only parts are mounted is nothing that its image could be said to consist of.
    for (const layer of damaged) rmSync(join(placeOf(store, layer), "added"), { force: true });
  }
  assert.deepEqual(await listImages(store.manager), before, "the records say what they said");
  assert.deepEqual(leftovers(store.data), []);
});

test("a part is packed anew out of the whole layer, which is fetched anew where it is damaged as well", async () => {
  using store = newStore();
  const app = await importApp(store);
  const [part] = app.layers;
  assert.ok(part?.of !== undefined);
  damage(store, [part.diffId]);
  // Not fetched where the whole layer is there: nobody serves it any more.
  renameSync(fileOf(store, "base"), fileOf(store, "hidden"));
  assert.equal((await verify(store, app.id, true)).repaired?.ok, true);
  renameSync(fileOf(store, "hidden"), fileOf(store, "base"));
  for (const layer of [part.diffId, part.of]) rmSync(placeOf(store, layer), { recursive: true });
  const base = await byName(store, "base");
  for (const { diffId } of base.layers) rmSync(`${placeOf(store, diffId)}.digests`, { force: true });
  assert.equal((await verify(store, app.id, true)).repaired?.ok, true);
  assert.equal((await verify(store, base.id, false)).ok, true);
  assert.deepEqual(leftovers(store.data), []);
});

test("what cannot be had is refused with the names of both images, and stays as it was", async () => {
  using store = newStore();
  const app = await importApp(store);
  const base = await byName(store, "base");
  damage(store, [base.digest, ...[...base.layers, ...app.layers].map(({ diffId }) => diffId)]);
  rmSync(fileOf(store, "base"));
  const gone = refusal(
    "NoSuchImage",
    4,
    '"example.com/base:',
    'which "example.com/',
    "depends on",
    "https://example.com/base.aci",
  );
  await assert.rejects(verify(store, app.id, true), gone);
  await writeAci(fileOf(store, "base"), [{ name: "rootfs/else", body: "else" }], {
    name: "example.com/base",
  });
  const other = refusal(
    "DigestMismatch",
    1,
    '"example.com/base:',
    "depends on",
    `holds another image than ${base.id} by now`,
  );
  await assert.rejects(verify(store, app.id, true), other);
  rmSync(join(store.data, "images", `${base.id}.json`));
  const unknown = refusal(
    "NoSuchImage",
    4,
    `image ${base.id}, which "example.com/`,
    "depends on, is not in the store",
  );
  await assert.rejects(verify(store, app.id, true), unknown);
  assert.deepEqual(leftovers(store.data), []);
});

test("its own layer and its manifest come from the file it was imported from", async () => {
  using store = newStore();
  const app = await importApp(store);
  const blob = join(store.data, "blobs", app.configDigest.replace(":", "/"));
  writeFileSync(blob, "{}");
  damage(store, [app.digest]);
  assert.equal((await verify(store, app.id, true)).repaired?.ok, true);
  writeFileSync(blob, "{}");
  rmSync(fileOf(store, "app"));
  await assert.rejects(verify(store, app.id, true), refusal("NoSuchImage", 4, fileOf(store, "app")));
});

test("no layer that a pod uses is replaced", async () => {
  using store = newStore();
  const app = await importApp(store);
  const [part] = app.layers;
  damage(store, [part?.diffId ?? ""]);
  const pod = join(store.data, "pods/0123456789abcdef0123456789abcdef");

  mkdirSync(pod, { recursive: true });
  writeFileSync(join(pod, "pod.json"), JSON.stringify({ layers: [part?.diffId] }));
  await assert.rejects(
    verify(store, app.id, true),
    refusal("ImageBusy", 1, `layer ${part?.diffId} is used by pod 0123456789abcdef`),
  );
});
