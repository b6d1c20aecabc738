/** Layers that come through a FIFO while they are unpacked: none twice, nothing left when they are wrong. */
import assert from "node:assert/strict";
import { createWriteStream, existsSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { GantryError } from "../../../src/base/errors.ts";
import { openContestedDirectory } from "../../../src/image/layout.ts";
import { hostPlatform } from "../../../src/image/platform.ts";
import { readLayout, type SourceImage, type SourceLayer } from "../../../src/image/source.ts";
import { collectClaims } from "../../../src/store/claims.ts";
import { type ImportOptions, importImage } from "../../../src/store/import.ts";
import { beginOperation } from "../../../src/store/operation.ts";
import type { Progress } from "../../../src/store/progress.ts";
import { openStore } from "../../../src/store/store.ts";
import { processUnpacker } from "../../../src/store/unpack-process.ts";
import { makeFifo } from "../../../src/transport/fifo.ts";
import { blobPath, type Image, manyLayerImage, writeOciLayout } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { leftovers, newStore, type TestStore, UNPACK } from "../../fixtures/store.ts";

type Setting = {
  readonly store: TestStore;
  readonly image: SourceImage;
  /** Digests in the order in which they were asked for. */
  readonly asked: string[];
  /** The bytes that are sent for a layer. */
  send(layer: SourceLayer): Buffer | Promise<Buffer>;
};

async function setUp(store: TestStore, image: Image): Promise<Setting> {
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, image);
  const files = openContestedDirectory(layout, "the layout");
  const source = await readLayout(files, { host: hostPlatform(), layers: "elsewhere" });
  return {
    ...{ store, image: source, asked: [] },
    send: ({ digest = "" }) => readFileSync(blobPath(layout, digest)),
  };
}

/** Imports in an operation of its own, with a fetcher that is a stream of this process. */
async function fetch(setting: Setting, options: Partial<ImportOptions> = {}) {
  await using operation = await beginOperation(await openStore(setting.store.data));
  let count = 0;
  return await importImage(operation, setting.image, {
    unpacker: processUnpacker(UNPACK),
    verdict: { kind: "insecure", reason: "a test", time: 0, uid: 0 },
    source: "docker://r.example/app:1",
    fetchLayer: async (layer) => {
      setting.asked.push(layer.digest ?? "");
      const fifo = await makeFifo(join(operation.directory, `fifo-${count++}`), 0o600);
      const sent = Promise.resolve(setting.send(layer)).then((bytes) => write(fifo.path, bytes));
      return {
        pipe: fifo.path,
        [Symbol.asyncDispose]: async () => {
          await fifo[Symbol.asyncDispose]();
          await sent;
        },
      };
    },
    ...options,
  });
}

async function write(path: string, bytes: Buffer): Promise<void> {
  // Its reader may stop before the end.
  await pipeline([bytes], createWriteStream(path)).catch(() => {});
}

const image = await manyLayerImage(4);

test("an image whose layers come through FIFOs is the one that its layout is, and is told as it comes", async () => {
  using store = newStore();
  const setting = await setUp(store, image);
  const events: Progress[] = [];
  const record = await fetch(setting, { progress: (event) => events.push(event) });
  assert.deepEqual(
    record.layers.map(({ digest }) => digest),
    setting.image.layers.map(({ digest }) => digest),
  );
  assert.deepEqual(setting.asked.toSorted(), record.layers.map(({ digest }) => digest).toSorted());
  assert.ok(
    existsSync(join(store.data, "layers", (record.layers[0]?.diffId ?? "").replace(":", "-"), "bin/sh")),
  );
  assert.deepEqual(events[0]?.event, "layers");
  assert.equal(events.filter(({ event }) => event === "layer").length, 5);
  assert.deepEqual(leftovers(store.data), []);
  await fetch(setting);
  assert.equal(setting.asked.length, 5, "nothing is fetched again");
});

test("a layer that an image has twice is fetched once", async () => {
  using store = newStore();
  const [bottom = Buffer.alloc(0), top = Buffer.alloc(0)] = image.layers;
  const setting = await setUp(store, { layers: [bottom, top, bottom] });
  assert.equal((await fetch(setting)).layers.length, 3);
  assert.equal(setting.asked.length, 2);
});

test("two imports at once fetch no layer twice, and both succeed", async () => {
  using store = newStore();
  const setting = await setUp(store, image);
  const records = await Promise.all([fetch(setting), fetch(setting), fetch(setting)]);
  assert.equal(new Set(records.map(({ id }) => id)).size, 1);
  assert.deepEqual(setting.asked.toSorted(), [...new Set(setting.asked)].toSorted());
  assert.equal(setting.asked.length, 5);
  assert.deepEqual(leftovers(store.data), []);
});

test("who waits for a layer fetches it himself when the other one fails", async () => {
  using store = newStore();
  const setting = await setUp(store, { layers: image.layers.slice(0, 1) });
  let failed = false;
  const flaky: Setting = {
    ...setting,
    send: async (layer) => {
      if (failed) return setting.send(layer);
      failed = true;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return Buffer.alloc(layer.size);
    },
  };
  const [first, second] = await Promise.allSettled([fetch(flaky), fetch(flaky)]);
  assert.deepEqual([first?.status, second?.status].toSorted(), ["fulfilled", "rejected"]);
  assert.deepEqual(leftovers(store.data), []);
});

test("wrong bytes fail the import, and what else was on its way is stopped", async () => {
  using store = newStore();
  const setting = await setUp(store, image);
  const wrong = { ...setting, send: ({ size }: SourceLayer) => Buffer.alloc(size) };
  await assert.rejects(fetch(wrong), refusal("DigestMismatch", 1, "layer sha256:"));
  assert.deepEqual(leftovers(store.data), []);
});

test("an aborted import ends although nothing comes, and while it waits for another one", async () => {
  using store = newStore();
  const setting = await setUp(store, { layers: image.layers.slice(0, 1) });
  const stuck = { ...setting, send: () => new Promise<Buffer>(() => {}) };
  const stop = new AbortController();
  const waiting: string[] = [];
  const progress = (event: Progress) => event.event === "log" && waiting.push(event.text);
  const quiet = (options: Partial<ImportOptions>) =>
    fetch(stuck, {
      fetchLayer: async () => {
        const fifo = await makeFifo(join(store.directory, "stuck"), 0o600);
        return { pipe: fifo.path, [Symbol.asyncDispose]: () => fifo[Symbol.asyncDispose]() };
      },
      ...options,
    });
  const both = [quiet({ signal: stop.signal, progress }), quiet({ signal: stop.signal, progress })];
  while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  stop.abort();
  for (const ended of await Promise.allSettled(both)) {
    assert.throws(
      () => {
        if (ended.status === "rejected") throw ended.reason;
      },
      refusal("Cancelled", 1, "cancelled"),
    );
  }
  assert.match(waiting[0] ?? "", /is being fetched already/);
  assert.deepEqual(leftovers(store.data), []);
});

test("who has waited long enough for a slow one fetches the layer himself, and both succeed", async () => {
  using store = newStore();
  const setting = await setUp(store, { layers: image.layers.slice(0, 1) });
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = fetch({ ...setting, send: (layer) => released.then(() => setting.send(layer)) });
  while (setting.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const waiting: string[] = [];
  const progress = (event: Progress) => event.event === "log" && waiting.push(event.text);
  const record = await fetch(setting, { patience: 0, progress });
  assert.deepEqual(setting.asked, Array(2).fill(record.layers[0]?.digest));
  assert.match(
    waiting.join("\n"),
    /is being fetched already\n.* is fetched a second time: the other fetch of it is slow/,
  );
  release();
  assert.deepEqual((await slow).layers, record.layers);
  assert.deepEqual(leftovers(store.data), []);
});

test("the claim of an operation that has died is taken over, and collected", async () => {
  using store = newStore();
  const setting = await setUp(store, { layers: image.layers.slice(0, 1) });
  const opened = await openStore(store.data);
  const claim = join(
    store.data,
    "layers",
    `.claim-${(setting.image.layers[0]?.diffId ?? "").replace(":", "-")}`,
  );
  symlinkSync("1-1-00000000-000000000000", claim);
  await fetch(setting);
  assert.ok(!existsSync(claim));
  symlinkSync("1-1-00000000-000000000000", claim);
  await using living = await beginOperation(opened);
  const other = `${claim.slice(0, -1)}x`;
  symlinkSync(living.id, other);
  await collectClaims(opened);
  assert.throws(() => readlinkSync(claim), /ENOENT/);
  assert.equal(readlinkSync(other), living.id);
});

test("without anybody who fetches, a layer that is elsewhere is an error of ours", async () => {
  using store = newStore();
  const setting = await setUp(store, image);
  await assert.rejects(
    fetch(setting, { fetchLayer: undefined }),
    (error) => error instanceof GantryError && error.kind === "Internal",
  );
});
