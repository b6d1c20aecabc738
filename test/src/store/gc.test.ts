/** Garbage collection: what it takes, what it leaves, and how it meets imports that run at the same time. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fetchImage, removeImage } from "../../../src/manager/images.ts";
import { collectGarbage, collectUnused } from "../../../src/store/gc.ts";
import { beginOperation, newOperationId } from "../../../src/store/operation.ts";
import { openStore } from "../../../src/store/store.ts";
import { type Image, writeOciLayout } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { leftovers, names, newStore, type TestStore } from "../../fixtures/store.ts";
import { tarOf } from "../../fixtures/tar.ts";

const image: Image = { layers: [await tarOf([{ name: "a", body: "a" }])], config: { Cmd: ["/a"] } };
const NAME = `sha256-${"0".repeat(64)}`;

async function fetch(store: TestStore) {
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, image);
  return await fetchImage(store.manager, { source: `oci:${layout}`, insecureOptions: ["image"], uid: 0 });
}

const nothingToStop = { stopOperation: async () => {} };

async function deadId(): Promise<string> {
  const child = spawn("true");
  await once(child, "exit");
  return (await newOperationId()).replace(/^\d+/, String(child.pid));
}

test("a fresh store has directories that only root may list", async () => {
  using store = newStore();
  await openStore(store.data);
  const modes = execFileSync("stat", ["-c", "%a %n", "layers", "blobs/sha256", "pods", "."], {
    cwd: store.data,
  });
  assert.equal(modes.toString(), "700 layers\n700 blobs/sha256\n711 pods\n711 .\n");
});

test("what an image uses stays; what nobody uses goes", async () => {
  using store = newStore();
  const record = await fetch(store);
  mkdirSync(join(store.data, "layers", NAME));
  writeFileSync(join(store.data, "layers", `${NAME}.digests`), "");
  writeFileSync(join(store.data, "blobs/sha256", "0".repeat(64)), "");
  const collected = await collectGarbage({ directory: store.data }, nothingToStop);
  assert.deepEqual(collected, { operations: 0, layers: 1, blobs: 1, tags: 0 });
  const layer = record.layers[0]?.diffId.replace(":", "-") ?? "";
  assert.deepEqual(names(join(store.data, "layers")), [layer, `${layer}.digests`]);
  assert.equal(names(join(store.data, "blobs/sha256")).length, 2);
});

test("a layer with names that are no UTF-8 and paths longer than the kernel takes is removed", async () => {
  using store = newStore();
  await openStore(store.data);
  const script = `import os
os.mkdir(b"\\xff\\xfe")
for depth in range(40):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
`;
  const tree = join(store.data, "layers", NAME);
  mkdirSync(tree);
  execFileSync("python3", ["-c", script], { cwd: tree });
  assert.deepEqual(await collectUnused({ directory: store.data }), { layers: 1, blobs: 0 });
  assert.deepEqual(names(join(store.data, "layers")), []);
});

test("layers named by a pod, prepared or being prepared, and by a living operation stay", async () => {
  for (const pod of ["0".repeat(32), `.preparing-${"1".repeat(32)}`]) {
    using store = newStore();
    await openStore(store.data);
    mkdirSync(join(store.data, "layers", NAME));
    mkdirSync(join(store.data, "pods", pod));
    writeFileSync(join(store.data, "pods", pod, "pod.json"), JSON.stringify({ layers: [NAME] }));
    assert.deepEqual(await collectUnused({ directory: store.data }), { layers: 0, blobs: 0 });
    renameSync(join(store.data, "pods", pod), join(store.data, "pods", `.garbage-${"2".repeat(32)}`));
    assert.deepEqual(await collectUnused({ directory: store.data }), { layers: 1, blobs: 0 });
  }
  using store = newStore();
  const operation = await beginOperation(await openStore(store.data));
  mkdirSync(join(store.data, "layers", NAME));
  await operation.relyOn([NAME]);
  assert.deepEqual(await collectUnused(operation.store), { layers: 0, blobs: 0 });
  await operation[Symbol.asyncDispose]();
  assert.deepEqual(await collectUnused(operation.store), { layers: 1, blobs: 0 });
});

test("an operation's directory stays while its process lives, and its work is stopped when it is dead", async () => {
  using store = newStore();
  const living = await beginOperation(await openStore(store.data));
  const dead = await deadId();
  mkdirSync(join(store.data, "inbox", dead, "layer-0"), { recursive: true });
  const foreign = living.id.replace(/-[0-9a-f]{8}-/, "-00000000-");
  for (const name of [foreign, "anything"]) mkdirSync(join(store.data, "inbox", name));
  const stopped: string[] = [];
  const stopOperation = async (id: string) => void stopped.push(id);
  const { operations } = await collectGarbage(living.store, { stopOperation });
  assert.equal(operations, 3);
  assert.deepEqual(stopped.sort(), [foreign, dead, "anything"].sort());
  assert.deepEqual(names(join(store.data, "inbox")), [living.id]);
  await living[Symbol.asyncDispose]();
});

test("what a dead collector set aside is put back when it is in use, and removed otherwise", async () => {
  using store = newStore();
  const record = await fetch(store);
  const layers = join(store.data, "layers");
  const layer = record.layers[0]?.diffId.replace(":", "-") ?? "";
  const dead = await deadId();
  for (const name of [layer, `${layer}.digests`]) {
    renameSync(join(layers, name), join(layers, `.garbage-${dead}-${name}`));
  }
  mkdirSync(join(layers, `.garbage-${dead}-${NAME}`));
  await collectUnused({ directory: store.data });
  assert.deepEqual(names(layers), [layer, `${layer}.digests`]);
});

test("what another living collector set aside is left to it", async () => {
  using store = newStore();
  await openStore(store.data);
  const aside = join(store.data, "layers", `.garbage-${await newOperationId()}-${NAME}`);
  mkdirSync(aside);
  assert.deepEqual(await collectUnused({ directory: store.data }), { layers: 0, blobs: 0 });
  assert.ok(existsSync(aside));
});

test("names that lead nowhere are removed", async () => {
  using store = newStore();
  await fetch(store);
  symlinkSync(`../images/${NAME}.json`, join(store.data, "tags", "stale"));
  const { tags } = await collectGarbage({ directory: store.data }, nothingToStop);
  assert.equal(tags, 1);
  assert.deepEqual(names(join(store.data, "tags")), ["localhost%2Flayout%3Alatest"]);
});

test("an image that a pod uses is not removed, and the refusal names the pod", async () => {
  using store = newStore();
  const { id } = await fetch(store);
  const pod = "3".repeat(32);
  mkdirSync(join(store.data, "pods", pod));
  writeFileSync(join(store.data, "pods", pod, "pod.json"), JSON.stringify({ apps: [{ image: { id } }] }));
  await assert.rejects(
    removeImage(store.manager, id),
    refusal("ImageBusy", 1, "localhost/layout:latest", pod),
  );
  assert.deepEqual(names(join(store.data, "images")), [`${id}.json`]);
  renameSync(join(store.data, "pods", pod), join(store.data, "pods", `.garbage-${pod}`));
  assert.equal((await removeImage(store.manager, id)).id, id);
});

test("collectors and imports that run against each other never lose a layer of an image that was reported", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, image);
  const request = { source: `oci:${layout}`, insecureOptions: ["image"] as const, uid: 0 };
  let running = true;
  const collector = async () => {
    while (running) await collectUnused({ directory: store.data });
  };
  const collectors = [collector(), collector()];
  try {
    for (let round = 0; round < 15; round++) {
      const record = await fetchImage(store.manager, request);
      const layer = join(store.data, "layers", record.layers[0]?.diffId.replace(":", "-") ?? "");
      assert.ok(existsSync(join(layer, "a")), `round ${round}`);
      assert.ok(existsSync(`${layer}.digests`), `round ${round}`);
      await removeImage(store.manager, record.id);
    }
  } finally {
    running = false;
    await Promise.all(collectors);
  }
  await collectUnused({ directory: store.data });
  assert.deepEqual([names(join(store.data, "layers")), leftovers(store.data)], [[], []]);
});
