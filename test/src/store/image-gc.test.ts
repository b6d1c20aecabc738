/** Collection of images: what nobody has used for a while goes, what is needed stays. */
import assert from "node:assert/strict";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fetchImage, type ImageRecord, listImages } from "../../../src/manager/images.ts";
import { collectImages } from "../../../src/store/image-gc.ts";
import { noteUse } from "../../../src/store/images.ts";
import { writeOciLayout } from "../../fixtures/images.ts";
import { leftovers, names, newStore, type TestStore } from "../../fixtures/store.ts";
import { tarOf } from "../../fixtures/tar.ts";

const HOUR = 3_600_000;
const ALL = { gracePeriod: 0, dryRun: false };

async function fetch(store: TestStore, name: string): Promise<ImageRecord> {
  const layout = join(store.directory, name);
  writeOciLayout(layout, { layers: [await tarOf([{ name, body: name }])], config: { Cmd: ["/a"] } });
  return await fetchImage(store.manager, { source: `oci:${layout}`, insecureOptions: ["image"], uid: 0 });
}

function recordPath(store: TestStore, id: string): string {
  return join(store.data, "images", `${id}.json`);
}

/** Makes an image as old as if it had been imported some hours ago. */
function age(store: TestStore, record: ImageRecord, hours: number): void {
  const then = Date.now() - hours * HOUR;
  writeFileSync(recordPath(store, record.id), JSON.stringify({ ...record, imported: then * 1000 }));
  utimesSync(recordPath(store, record.id), then / 1000, then / 1000);
}

async function left(store: TestStore): Promise<string[]> {
  return (await listImages(store.manager)).map(({ id }) => id).sort();
}

test("images that nobody has used within the grace period go, with what only they used", async () => {
  using store = newStore();
  const [old, used, fresh] = [
    await fetch(store, "old"),
    await fetch(store, "used"),
    await fetch(store, "fresh"),
  ];
  age(store, old, 30);
  age(store, used, 30);
  await noteUse({ directory: store.data }, used.id);
  const { images, layers } = await collectImages(
    { directory: store.data },
    { gracePeriod: 24 * HOUR, dryRun: false },
  );
  assert.deepEqual(
    images.map(({ id }) => id),
    [old.id],
  );
  assert.equal(layers, 0);
  assert.deepEqual(await left(store), [used.id, fresh.id].sort());
  assert.equal(names(join(store.data, "layers")).length, 4);
  assert.deepEqual(leftovers(store.data), []);
});

test("what nothing names is counted beside what goes with the images", async () => {
  using store = newStore();
  const [one, other] = [await fetch(store, "one"), await fetch(store, "other")];
  mkdirSync(join(store.data, "layers", `sha256-${"0".repeat(64)}`));
  writeFileSync(join(store.data, "blobs/sha256", "1".repeat(64)), "");
  const { images, ...unused } = await collectImages({ directory: store.data }, ALL);
  assert.deepEqual(images.map(({ id }) => id).sort(), [one.id, other.id].sort());
  assert.deepEqual(unused, { layers: 1, blobs: 1 });
  for (const place of ["layers", "blobs/sha256", "images", "tags"]) {
    assert.deepEqual(names(join(store.data, place)), [], place);
  }
});

test("a dry run only tells", async () => {
  using store = newStore();
  const record = await fetch(store, "one");
  mkdirSync(join(store.data, "layers", `sha256-${"0".repeat(64)}`));
  writeFileSync(join(store.data, "blobs/sha256", "1".repeat(64)), "");
  const told = await collectImages({ directory: store.data }, { ...ALL, dryRun: true });
  assert.deepEqual([told.images.map(({ id }) => id), told.layers, told.blobs], [[record.id], 1, 1]);
  assert.deepEqual(await left(store), [record.id]);
  assert.equal(names(join(store.data, "layers")).length, 3);
});

test("an image of a pod stays, and one that another needs; then those that need others go first", async () => {
  using store = newStore();
  const [base, app, podded] = [
    await fetch(store, "base"),
    await fetch(store, "app"),
    await fetch(store, "podded"),
  ];
  writeFileSync(recordPath(store, app.id), JSON.stringify({ ...app, dependencies: [base.id] }));
  const pod = join(store.data, "pods", "0".repeat(32));
  mkdirSync(pod);
  writeFileSync(
    join(pod, "pod.json"),
    JSON.stringify({ apps: [{ image: { id: app.id } }, { image: { id: podded.id } }] }),
  );
  assert.deepEqual((await collectImages({ directory: store.data }, ALL)).images, []);
  writeFileSync(join(pod, "pod.json"), JSON.stringify({ apps: [{ image: { id: podded.id } }] }));
  const { images } = await collectImages({ directory: store.data }, ALL);
  assert.deepEqual(
    images.map(({ id }) => id),
    [app.id, base.id],
  );
  assert.deepEqual(await left(store), [podded.id]);
});

test("what a removed image was judged by goes with it", async () => {
  using store = newStore();
  const record = await fetch(store, "judged");
  writeFileSync(join(store.data, "verdicts", `${record.id}.json`), "{}");
  writeFileSync(join(store.data, "verdicts", `sha256-${"0".repeat(64)}.json`), "{}");
  await collectImages({ directory: store.data }, ALL);
  assert.deepEqual(names(join(store.data, "verdicts")), [`sha256-${"0".repeat(64)}.json`]);
});
