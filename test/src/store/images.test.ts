/** Image records: too large or damaged, with the other images none the worse for it; written by several at once. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  describeImages,
  fetchImage,
  findImage,
  imageOfId,
  removeImage,
} from "../../../src/manager/images.ts";
import { collectClaims } from "../../../src/store/claims.ts";
import { collectImages } from "../../../src/store/image-gc.ts";
import { beginOperation, type Operation } from "../../../src/store/operation.ts";
import { claimRecord } from "../../../src/store/record-claim.ts";
import { openStore } from "../../../src/store/store.ts";
import { writeAci, writeOciLayout } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { leftovers, names, newStore, type TestStore } from "../../fixtures/store.ts";
import { tarOf } from "../../fixtures/tar.ts";

function fetch(store: TestStore, source: string) {
  return fetchImage(store.manager, { source, insecureOptions: ["image"], uid: 0 });
}

async function fetchNamed(store: TestStore, name: string) {
  const layout = join(store.directory, name);
  const layers = [await tarOf([{ name, body: name }])];
  writeOciLayout(layout, { layers, config: { Cmd: ["/a"] } }, { ref: "1" });
  return await fetch(store, `oci:${layout}:1`);
}

function recordPath(store: TestStore, id: string): string {
  return join(store.data, "images", `${id}.json`);
}

test("an image whose record would be too large to read is refused", async () => {
  using store = newStore();
  // Indented by its depth, each zero takes as much as forty characters.
  const value = JSON.parse(`${"[".repeat(30)}${"0,".repeat(500_000)}0${"]".repeat(30)}`);
  const app = { exec: ["/a"], user: "0", group: "0", isolators: [{ name: "example.com/huge", value }] };
  const file = join(store.directory, "huge.aci");
  await writeAci(file, [], { manifest: { app } });
  await assert.rejects(
    fetch(store, file),
    refusal("BadImage", 1, '"example.com/busybox', "limit is 16777216"),
  );
  assert.deepEqual(names(join(store.data, "images")), []);
  assert.deepEqual(leftovers(store.data), []);
});

const DAMAGES = {
  "cut off": (path: string) => truncateSync(path, 100),
  "of another shape": (path: string) => writeFileSync(path, "{}"),
  "too large": (path: string) => truncateSync(path, 16 * 1024 * 1024 + 1),
};

for (const [what, damage] of Object.entries(DAMAGES)) {
  test(`a record that is ${what} is told as damaged, leaves other images alone, and can be removed`, async () => {
    using store = newStore();
    const [bad, good, old] = [
      await fetchNamed(store, "bad"),
      await fetchNamed(store, "good"),
      await fetchNamed(store, "old"),
    ];
    damage(recordPath(store, bad.id));
    const listed = await describeImages(store.manager);
    assert.deepEqual(listed.map(({ id }) => id).sort(), [bad.id, good.id, old.id].sort());
    assert.deepEqual(listed.at(-1), { id: bad.id, damaged: true });
    for (const argument of [bad.id, bad.names[0] ?? ""]) {
      const told = refusal("StoreCorrupt", 1, bad.id, `gantry image rm ${bad.id}`);
      await assert.rejects(findImage(store.manager, argument), told);
    }
    await removeImage(store.manager, old.id);
    const { images } = await collectImages({ directory: store.data }, { gracePeriod: 0, dryRun: false });
    assert.deepEqual(
      images.map(({ id }) => id),
      [good.id],
    );
    const removed = await removeImage(store.manager, bad.id.slice(0, 20));
    assert.deepEqual(removed, { id: bad.id, names: bad.names });
    for (const place of ["images", "tags", "layers", "blobs/sha256"])
      assert.deepEqual(names(join(store.data, place)), [], place);
  });
}

test("an image of a whole id is found whatever is wrong with the others, and nothing by another text", async () => {
  using store = newStore();
  const { id } = await fetchNamed(store, "good");
  const { id: bad } = await fetchNamed(store, "bad");
  writeFileSync(recordPath(store, bad), "{}");
  mkdirSync(recordPath(store, `sha256-${"0".repeat(64)}`));
  assert.equal((await imageOfId(store.manager, id))?.id, id);
  for (const other of [bad, id.slice(0, -1), `../images/${id}`, ""])
    assert.equal(await imageOfId(store.manager, other), undefined, other);
});

test("an image whose record is damaged can be fetched again", async () => {
  using store = newStore();
  const { id } = await fetchNamed(store, "bad");
  writeFileSync(recordPath(store, id), "{}");
  assert.equal((await fetchNamed(store, "bad")).id, id);
  assert.equal((await findImage(store.manager, id)).id, id);
});

test("of fetches of one image by several names at once each keeps its name", async () => {
  using store = newStore();
  const [first, second] = ["a", "b"].map((name) => join(store.directory, name));
  const layers = [await tarOf([{ name: "file", body: "same" }])];
  for (const layout of [first, second])
    writeOciLayout(layout ?? "", { layers, config: { Cmd: ["/a"] } }, { ref: "1" });
  for (let round = 0; round < 5; round++) {
    const records = await Promise.all([first, second].map((layout) => fetch(store, `oci:${layout}:1`)));
    const [id, other] = records.map((record) => record.id);
    assert.equal(id, other);
    for (const { names } of records) assert.equal((await findImage(store.manager, names[0] ?? "")).id, id);
    await removeImage(store.manager, id ?? "");
  }
  assert.deepEqual(leftovers(store.data), []);
});

test("records are had in the order in which they were claimed", async () => {
  using store = newStore();
  const opened = await openStore(store.data);
  const id = `sha256-${"0".repeat(64)}`;
  await using holder = await beginOperation(opened);
  await using one = await beginOperation(opened);
  await using other = await beginOperation(opened);
  const orders = [
    [one, other],
    [other, one],
  ];
  for (const order of orders) {
    const claim = await claimRecord(holder, id);
    const had: string[] = [];
    const waiting: Promise<void>[] = [];
    for (const operation of order) {
      waiting.push(haveRecord(operation, id, had));
      // The holder's claim and one for each who waits.
      while (claimsIn(store, id) !== waiting.length + 1) await setTimeout(1);
    }
    await claim[Symbol.asyncDispose]();
    await Promise.all(waiting);
    assert.deepEqual(
      had,
      order.map((operation) => operation.id),
    );
  }
});

async function haveRecord(operation: Operation, id: string, had: string[]): Promise<void> {
  await using _claim = await claimRecord(operation, id);
  had.push(operation.id);
}

/** How many have a turn. */
function claimsIn(store: TestStore, id: string): number {
  const undrawn = `.claim-${id}.${"0".repeat(20)}.`;
  const claims = names(join(store.data, "images"));
  return claims.some((name) => name.startsWith(undrawn)) ? 0 : claims.length;
}

test("a record that many claim at once is had by one at a time", async () => {
  using store = newStore();
  const opened = await openStore(store.data);
  const id = `sha256-${"0".repeat(64)}`;
  let holders = 0;
  const have = async () => {
    await using operation = await beginOperation(opened);
    await using _claim = await claimRecord(operation, id);
    holders += 1;
    await setTimeout(1);
    assert.equal(holders, 1);
    holders -= 1;
  };
  await Promise.all(Array.from({ length: 50 }, have));
  assert.deepEqual(names(join(store.data, "images")), []);
});

test("a record is claimed by one operation at a time, and a dead one's claim is in nobody's way", async () => {
  using store = newStore();
  const opened = await openStore(store.data);
  const id = `sha256-${"0".repeat(64)}`;
  const dead = join(store.data, "images", `.claim-${id}.${"0".repeat(20)}.1-1-00000000-000000000000`);
  symlinkSync("1-1-00000000-000000000000", dead);
  await using operation = await beginOperation(opened);
  await using other = await beginOperation(opened);
  const claim = await claimRecord(operation, id);
  await assert.rejects(claimRecord(other, id, 0), refusal("ImageBusy", 1, id, "try again"));
  const waiting = claimRecord(other, id);
  await claim[Symbol.asyncDispose]();
  await (await waiting)[Symbol.asyncDispose]();
  await collectClaims(opened);
  assert.deepEqual(names(join(store.data, "images")), []);
});
