/**
 * `kill -9` and a full disk at every point of an import. The points are the system calls that change the disk: strace
 * delivers SIGKILL at the Nth, for every N until the import gets through.
 */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fetchImage, listImages, removeImage } from "../../../src/manager/images.ts";
import { collectGarbage } from "../../../src/store/gc.ts";
import { openStore } from "../../../src/store/store.ts";
import { manyLayerImage, writeAci, writeOciLayout } from "../../fixtures/images.ts";
import {
  type Answer,
  drive,
  leftovers,
  names,
  newStore,
  type TestStore,
  UNPACK,
} from "../../fixtures/store.ts";
import { busyboxEntries } from "../../fixtures/trees.ts";

/** There are far fewer; more would mean that the loop does not end. */
const MOST_POINTS = 100;

function args(store: TestStore, ...verb: string[]): string[] {
  return [store.data, UNPACK, ...verb];
}

/** strace counts in each process: every one that reaches the Nth call is killed. */
function killAt(calls: string, point: number): string[] {
  const inject = `inject=${calls}:signal=KILL:when=${point}`;
  return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", inject];
}

/** What gc leaves is whole: no leftovers, and every record has its layers. */
async function assertSound(store: TestStore, when: string): Promise<void> {
  await collectGarbage({ directory: store.data }, { stopOperation: async () => {} });
  assert.deepEqual(leftovers(store.data), [], when);
  for (const record of await listImages(store.manager)) {
    for (const { diffId } of record.layers) {
      const layer = join(store.data, "layers", diffId.replace(":", "-"));
      assert.ok(existsSync(layer) && existsSync(`${layer}.digests`), `${when}: ${layer}`);
    }
  }
}

type Fault = {
  readonly call: string;
  readonly verb: readonly string[];
  readonly prepare: () => Promise<unknown>;
};

/** Kills `verb` at every `call`; returns how many there were. */
async function killEverywhere(
  store: TestStore,
  { call, verb, prepare }: Fault,
  check: (when: string) => Promise<void> = async () => {},
): Promise<number> {
  for (let point = 1; point < MOST_POINTS; point++) {
    await prepare();
    const answer = drive(killAt(call, point), args(store, ...verb));
    const when = `${verb[0]} killed at ${call} ${point}`;
    await assertSound(store, when);
    await check(when);
    if (answer?.result !== undefined) return point - 1;
    // Where only a process it started died, it lives to tell.
    if (answer !== undefined) assert.match(answer.text ?? "", /SIGKILL/, when);
  }
  throw new Error(`${verb[0]} never gets through ${call}`);
}

function writeSmallLayout(directory: string, layers: readonly Buffer[]): void {
  writeOciLayout(directory, { layers: layers.slice(1), config: { Cmd: ["/a"] } });
}

for (const [call, fewest] of [
  ["mkdir", 3],
  ["rename", 9],
  ["fsync", 11],
  ["symlink", 1],
] as const) {
  test(`an import that is killed at any ${call} leaves nothing that gc can't clean`, async (t) => {
    using store = newStore();
    const layout = join(store.directory, "layout");
    writeSmallLayout(layout, (await manyLayerImage(2)).layers);
    const prepare = async () => {
      for (const { id } of await listImages(store.manager)) await removeImage(store.manager, id);
    };
    await openStore(store.data);
    const points = await killEverywhere(store, { call, prepare, verb: ["fetch", `oci:${layout}`] });
    t.diagnostic(`${points} points`);
    assert.ok(points >= fewest, String(points));
    assert.equal((await listImages(store.manager)).length, 1);
  });
}

for (const [call, fewest] of [
  ["unlink", 2],
  ["rename", 4],
  ["unlinkat", 2],
] as const) {
  test(`a removal that is killed at any ${call} leaves nothing that gc can't clean`, async (t) => {
    using store = newStore();
    const layout = join(store.directory, "layout");
    writeSmallLayout(layout, (await manyLayerImage(1)).layers);
    const request = { source: `oci:${layout}`, insecureOptions: ["image"] as const, uid: 0 };
    const prepare = () => fetchImage(store.manager, request);
    const points = await killEverywhere(store, { call, prepare, verb: ["rm", "layout"] });
    t.diagnostic(`${points} points`);
    assert.ok(points >= fewest, String(points));
    assert.deepEqual(names(join(store.data, "layers")), []);
  });
}

/** What a pod has, whose record names the image. */
function usePod(store: TestStore, image: string): void {
  const directory = join(store.data, "pods", "0".repeat(32));
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "pod.json"), JSON.stringify({ image }));
}

/** The calls by which a collection sets aside, puts back and removes. */
for (const [call, fewest] of [
  ["unlink", 2],
  ["rename", 4],
  ["unlinkat", 2],
] as const) {
  test(`a collection of images that is killed at any ${call} leaves a store that verifies`, async (t) => {
    using store = newStore();
    const [first = Buffer.of(), ...others] = (await manyLayerImage(2)).layers;
    const [used, idle] = [join(store.directory, "used"), join(store.directory, "idle")];
    writeOciLayout(used, { layers: [first], config: { Cmd: ["/used"] } });
    writeOciLayout(idle, { layers: [first, ...others], config: { Cmd: ["/idle"] } });
    const fetch = (path: string) =>
      fetchImage(store.manager, { source: `oci:${path}`, insecureOptions: ["image"] as const, uid: 0 });
    const { id } = await fetch(used);
    usePod(store, id);
    const prepare = () => fetch(idle);
    const points = await killEverywhere(store, { call, prepare, verb: ["image-gc"] }, async (when) => {
      const records = await listImages(store.manager);
      assert.ok(
        records.some((record) => record.id === id),
        when,
      );
      for (const record of records)
        assert.equal(drive([], args(store, "verify", record.id))?.result, true, `${when}: ${record.id}`);
    });
    t.diagnostic(`${points} points`);
    assert.ok(points >= fewest, String(points));
    assert.deepEqual(
      (await listImages(store.manager)).map((record) => record.id),
      [id],
    );
  });
}

test("an unpacker that is killed at many points fails the import, which names the layer and leaves nothing", async () => {
  using store = newStore();
  const file = join(store.directory, "busybox.aci");
  await writeAci(file, busyboxEntries("rootfs/"));
  const program = join(store.directory, "unpack");
  const calls = "mkdirat,openat,linkat,symlinkat,fchmod,fchown,syncfs,renameat,renameat2,unlinkat";
  let through = false;
  for (let point = 1; point < 4000 && !through; point = Math.ceil(point * 1.7)) {
    const strace = killAt(calls, point).join(" ");
    writeFileSync(program, `#!/bin/sh\nPATH=/usr/bin:/bin exec ${strace} ${UNPACK} "$@"\n`);
    chmodSync(program, 0o755);
    const answer = drive([], [store.data, program, "fetch", file]);
    through = answer?.result !== undefined;
    if (!through) {
      assert.deepEqual([answer?.kind, answer?.exit], ["Internal", 1], JSON.stringify(answer));
      assert.match(answer?.text ?? "", /busybox\.aci.*was stopped: SIGKILL/);
      assert.deepEqual(
        [leftovers(store.data), names(join(store.data, "layers"))],
        [[], []],
        `point ${point}`,
      );
    }
  }
  assert.ok(through);
});

/** Runs the driver with the store on a disk of `size`, which is gone with the process's mount namespace. */
function onDisk(store: TestStore, size: string, script: string): string {
  const output = join(store.directory, "output");
  const driver = `"$@"`;
  const mount = `mkdir -p ${store.data} && mount -t tmpfs -o size=${size},nr_inodes=100000 none ${store.data}`;
  const shell = `exec >${output}; ${mount} && ${script.replaceAll("DRIVE", driver)}`;
  drive(["unshare", "--mount", "sh", "-c", shell, "sh"], [store.data, UNPACK]);
  return readFileSync(output, "utf8");
}

test("a full disk is StoreFull that names the directory, leaves nothing, and an image can still be removed", async () => {
  using store = newStore();
  const small = join(store.directory, "small");
  const large = join(store.directory, "large");
  writeOciLayout(small, { layers: (await manyLayerImage(1)).layers.slice(1), config: { Cmd: ["/a"] } });
  writeOciLayout(large, await manyLayerImage(0));
  const output = onDisk(
    store,
    "1536k",
    [
      `DRIVE fetch oci:${small}`,
      `DRIVE fetch oci:${large}`,
      `find ${store.data}/inbox ${store.data}/layers -mindepth 1 -maxdepth 1 | wc -l`,
      `dd if=/dev/zero of=${store.data}/fill bs=4k 2>${store.directory}/dd; df --output=avail ${store.data} | tail -1`,
      "DRIVE rm small",
      `find ${store.data}/layers ${store.data}/images ${store.data}/inbox -mindepth 1 | wc -l`,
    ].join("; "),
  );
  const lines = output.trim().split("\n");
  const [fetched, refused] = lines.slice(0, 2).map((line) => JSON.parse(line) as Answer);
  assert.match(String(fetched?.result), /^sha256-/);
  assert.deepEqual([refused?.kind, refused?.exit], ["StoreFull", 1], output);
  assert.ok(refused?.text?.includes(store.data), refused?.text);
  assert.deepEqual([lines[2], lines[3]?.trim()], ["2", "0"], output);
  assert.equal((JSON.parse(lines[4] ?? "") as Answer).result, fetched?.result);
  assert.equal(lines[5], "0");
});

test("a disk that is full from the start refuses an import before anything is unpacked", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, await manyLayerImage(0));
  const fill = `dd if=/dev/zero of=${store.data}/fill bs=4k 2>${store.directory}/dd`;
  const output = onDisk(
    store,
    "64k",
    `${fill}; DRIVE fetch oci:${layout}; find ${store.data}/inbox -mindepth 1 | wc -l`,
  );
  const [answer = "", left] = output.trim().split("\n");
  const refused = JSON.parse(answer) as Answer;
  assert.deepEqual([refused.kind, refused.exit], ["StoreFull", 1], output);
  assert.ok(refused.text?.includes(store.data), refused.text);
  assert.equal(left, "0");
});
