/** Verification and repair of images in the store. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  fetchImage,
  findImage,
  type ImageRecord,
  listImages,
  removeImage,
} from "../../../src/manager/images.ts";
import { findingText, type ImageCheck, verifyImage } from "../../../src/manager/verify.ts";
import { collectGarbage } from "../../../src/store/gc.ts";
import type { Tools } from "../../../src/store/tool.ts";
import { manyLayerImage, writeAci, writeOciArchive, writeOciLayout } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { drive, leftovers, names, newStore, type TestStore, TOOLS, UNPACK } from "../../fixtures/store.ts";
import { busyboxEntries } from "../../fixtures/trees.ts";

const image = await manyLayerImage(2);

async function fetch(store: TestStore, source?: string): Promise<ImageRecord> {
  const layout = join(store.directory, "layout");
  if (source === undefined) writeOciLayout(layout, image, { ref: "r.example/app:1" });
  const request = { source: source ?? `oci:${layout}`, insecureOptions: ["image"] as const, uid: 0 };
  return await fetchImage(store.manager, request);
}

function verify(store: TestStore, { id }: ImageRecord, repair = false) {
  return verifyImage(store.manager, { image: id, repair, uid: 0 });
}

function tree(store: TestStore, record: ImageRecord, layer: number): string {
  return join(store.data, "layers", record.layers[layer]?.diffId.replace(":", "-") ?? "");
}

/** "0: content etc/passwd", by the number of the layer. */
function found({ layers, faults }: ImageCheck): string[] {
  return [
    ...layers.flatMap(({ findings }, at) => findings.map(({ what, path }) => `${at}: ${what} ${path}`)),
    ...faults,
  ];
}

test("an image as it was imported is verified, and its sizes are true", async () => {
  using store = newStore();
  const record = await fetch(store);
  const check = await verify(store, record);
  assert.deepEqual([check.ok, found(check)], [true, []]);
  for (const [at, { unpackedSize, entries }] of record.layers.entries()) {
    const script = `find . -type f -printf '%i %s\\n' | sort -u | awk '{ sum += $2 } END { print sum + 0 }'; find . | wc -l; du -s --block-size=1 . | cut -f1`;
    const output = execFileSync("sh", ["-c", script], { cwd: tree(store, record, at), encoding: "utf8" });
    const [bytes, paths, disk] = output.trim().split("\n").map(Number);
    assert.deepEqual([unpackedSize, entries, check.layers[at]?.disk], [bytes, paths, disk]);
  }
  assert.deepEqual(leftovers(store.data), []);
});

test("a changed, an added and a removed file are found, with the layer they are in", async () => {
  using store = newStore();
  const record = await fetch(store);
  appendFileSync(join(tree(store, record, 0), "etc/passwd"), "evil:x:0:0::/:/bin/sh\n");
  writeFileSync(join(tree(store, record, 1), "layers/new"), "");
  rmSync(join(tree(store, record, 2), "layers/2"));
  const check = await verify(store, record);
  const files = found(check).filter((line) => !line.includes(" time "));
  assert.deepEqual(files, ["0: content etc/passwd", "1: added layers/new", "2: missing layers/2"]);
  assert.equal(check.ok, false);
  const [content] = check.layers[0]?.findings ?? [];
  assert.match(
    findingText(content ?? { what: "", path: "", expected: "", found: "" }),
    /^"etc\/passwd" has other content \([0-9a-f]{64} instead of [0-9a-f]{64}\)$/,
  );
  // Nothing was repaired on the way.
  assert.deepEqual(
    found(await verify(store, record)).filter((line) => !line.includes(" time ")),
    files,
  );
});

test("a missing layer or list, a damaged document and a record with wrong sizes are found", async () => {
  using store = newStore();
  const record = await fetch(store);
  rmSync(tree(store, record, 0), { recursive: true });
  rmSync(`${tree(store, record, 1)}.digests`);
  const blob = join(store.data, "blobs", record.configDigest.replace(":", "/"));
  writeFileSync(blob, `${readFileSync(blob)} `);
  const path = join(store.data, "images", `${record.id}.json`);
  const layers = record.layers.map((layer) => ({ ...layer, unpackedSize: layer.unpackedSize + 1 }));
  writeFileSync(path, JSON.stringify({ ...record, layers }));
  const [first, second, size, document] = found(await verify(store, record));
  assert.deepEqual([first, second], ["0: missing .", "1: list ."]);
  assert.match(
    size ?? "",
    new RegExp(`^layer ${record.layers[2]?.diffId} has \\d+ bytes in \\d+ entries, the record says`),
  );
  assert.match(document ?? "", new RegExp(`^blob ${record.configDigest}: .* has digest sha256:`));
});

test("repair takes layers and documents from a layout, and the record keeps what it said", async () => {
  using store = newStore();
  const record = await fetch(store);
  appendFileSync(join(tree(store, record, 0), "etc/passwd"), "x");
  rmSync(tree(store, record, 1), { recursive: true });
  const blob = join(store.data, "blobs", record.digest.replace(":", "/"));
  rmSync(blob);
  const check = await verify(store, record, true);
  assert.deepEqual([check.ok, check.repaired?.ok], [false, true]);
  assert.deepEqual((await verify(store, record)).ok, true);
  assert.deepEqual(await listImages(store.manager), [record]);
  assert.deepEqual(leftovers(store.data), []);
});

test("repair takes a layer from an archive and from an ACI", async () => {
  using store = newStore();
  const archive = join(store.directory, "app.tar");
  writeOciArchive(archive, image, { ref: "r.example/app:1", outer: "gzip" });
  const aci = join(store.directory, "app.aci");
  await writeAci(aci, busyboxEntries("rootfs/"));
  for (const source of [`oci-archive:${archive}`, aci]) {
    const record = await fetch(store, source);
    writeFileSync(join(tree(store, record, 0), "etc/passwd"), "");
    const check = await verify(store, record, true);
    assert.deepEqual([check.ok, check.repaired?.ok], [false, true], source);
    await removeImage(store.manager, record.id);
  }
  assert.deepEqual(names(join(store.data, "layers")), []);
});

test("wrong sizes are written down right", async () => {
  using store = newStore();
  const record = await fetch(store);
  const layers = record.layers.map((layer) => ({ ...layer, entries: 1 }));
  writeFileSync(join(store.data, "images", `${record.id}.json`), JSON.stringify({ ...record, layers }));
  assert.equal((await verify(store, record, true)).repaired?.ok, true);
  assert.deepEqual(await listImages(store.manager), [record]);
});

/** Repairs an image of wrong sizes, and does something else once its layers are looked at. */
async function repairWhile(store: TestStore, record: ImageRecord, meanwhile: () => Promise<unknown>) {
  const layers = record.layers.map((layer) => ({ ...layer, entries: 1 }));
  writeFileSync(join(store.data, "images", `${record.id}.json`), JSON.stringify({ ...record, layers }));
  let once: (() => Promise<unknown>) | undefined = meanwhile;
  const tools: Tools = async (run) => {
    const ended = await TOOLS(run);
    await once?.();
    once = undefined;
    return ended;
  };
  return await verifyImage({ ...store.manager, tools }, { image: record.id, repair: true, uid: 0 });
}

test("a repair leaves names to the images that have got them meanwhile", async () => {
  using store = newStore();
  const record = await fetch(store);
  const newer = join(store.directory, "newer");
  writeOciLayout(newer, await manyLayerImage(0), { ref: "r.example/app:1" });
  const check = await repairWhile(store, record, () => fetch(store, `oci:${newer}`));
  assert.equal(check.repaired?.ok, true);
  assert.notEqual((await findImage(store.manager, "r.example/app:1")).id, record.id);
  const repaired = await findImage(store.manager, record.id);
  assert.deepEqual([repaired.names, repaired.layers], [[], record.layers]);
  assert.deepEqual(leftovers(store.data), []);
});

test("an image that is removed during its repair stays away", async () => {
  using store = newStore();
  const record = await fetch(store);
  const repair = repairWhile(store, record, () => removeImage(store.manager, record.id));
  await assert.rejects(repair, refusal("NoSuchImage", 4, record.id));
  assert.deepEqual([names(join(store.data, "images")), names(join(store.data, "tags"))], [[], []]);
});

test("a layer that a pod uses is not repaired, and one whose source is gone or another image stays as it is", async () => {
  using store = newStore();
  const record = await fetch(store);
  const file = join(tree(store, record, 0), "etc/passwd");
  writeFileSync(file, "changed");
  const pod = "0".repeat(32);
  mkdirSync(join(store.data, "pods", pod));
  const layers = record.layers.map(({ diffId }) => diffId.replace(":", "-"));
  writeFileSync(join(store.data, "pods", pod, "pod.json"), JSON.stringify({ layers }));
  const used = `layer ${record.layers[0]?.diffId} is used by pod ${pod}`;
  await assert.rejects(verify(store, record, true), refusal("ImageBusy", 1, used));
  rmSync(join(store.data, "pods", pod), { recursive: true });

  rmSync(join(store.directory, "layout"), { recursive: true });
  const gone = refusal("NoSuchImage", 4, join(store.directory, "layout"));
  await assert.rejects(verify(store, record, true), gone);

  writeOciLayout(join(store.directory, "layout"), await manyLayerImage(0));
  const other = refusal("DigestMismatch", 1, `holds another image than ${record.id}`);
  await assert.rejects(verify(store, record, true), other);
  assert.equal(readFileSync(file, "utf8"), "changed");
  assert.deepEqual(leftovers(store.data), []);
});

for (const [call, fewest] of [["rename", 5]] as const) {
  test(`a repair that is killed at any ${call} leaves a store that opens, and can be repaired`, async (t) => {
    using store = newStore();
    const layout = join(store.directory, "layout");
    writeOciLayout(
      layout,
      { layers: image.layers.slice(1), config: { Cmd: ["/a"] } },
      { ref: "r.example/app:1" },
    );
    const record = await fetch(store, `oci:${layout}`);
    let points = 0;
    for (let through = false; !through; points++) {
      assert.ok(points < 100);
      writeFileSync(join(tree(store, record, 0), "layers/top"), "changed");
      const inject = `inject=${call}:signal=KILL:when=${points + 1}`;
      const prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject];
      const answer = drive(prefix, [store.data, UNPACK, "repair", record.id]);
      through = answer?.result === true;
      await collectGarbage({ directory: store.data }, { stopOperation: async () => {} });
      assert.deepEqual(leftovers(store.data), [], `point ${points}`);
      // Whole: as it was, or as it shall be.
      const after = found(await verify(store, record)).filter((line) => !line.includes(" time "));
      assert.ok(["", "0: content layers/top"].includes(after.join()), `point ${points}: ${after}`);
    }
    t.diagnostic(`${points - 1} points`);
    assert.ok(points > fewest, `${points} points`);
    assert.equal((await verify(store, record)).ok, true);
  });
}
