/** Prepared pods on a real disk: claims, files, what a failure leaves. As root, because of the owners. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Paths } from "../../../src/config/paths.ts";
import { findPod } from "../../../src/pod/find.ts";
import { claimIds, collectIds, releaseIds } from "../../../src/pod/ids.ts";
import { podEntries } from "../../../src/pod/layout.ts";
import { claimName, collectNames, podOfName } from "../../../src/pod/names.ts";
import { type PreparedPod, preparePod } from "../../../src/pod/prepare.ts";
import { manifestOfRequest } from "../../../src/pod/reify.ts";
import type { PodRequestInput } from "../../../src/pod/request.ts";
import { LaunchPlan } from "../../../src/stage1/plan.ts";
import { UnitSet } from "../../../src/stage1/units.ts";
import { IMAGE_ID, imageRecord, MOMENT, podRequest, podStore } from "../../fixtures/pods.ts";
import { refusal } from "../../fixtures/refusal.ts";

async function prepare(paths: Paths, request: Partial<PodRequestInput> = {}): Promise<PreparedPod> {
  const images = new Map([
    ["front", imageRecord()],
    [IMAGE_ID, imageRecord()],
  ]);
  const manifest = manifestOfRequest(podRequest(request), images);
  return await preparePod(paths, { manifest, images, moment: MOMENT });
}

function left(paths: Paths): string[] {
  return ["pods", "names", "ids"].flatMap((name) => readdirSync(join(paths.data, name)));
}

const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));

test("a prepared pod has its documents, guarded, and directories of its own ids", async () => {
  using store = podStore();
  const { directory, uuid, record } = await prepare(store.paths, { name: "web" });
  const plan = LaunchPlan.parse(json(directory, "apps/front/plan.json"));
  UnitSet.parse(json(directory, "units.json"));
  assert.equal(plan.gantry.uuid, uuid);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(join(directory, "apps/front/plan.json")).mode & 0o777, 0o600);
  const { userns } = record;
  assert.ok(userns.mode === "pod");
  assert.equal(statSync(plan.gantry.upper).uid, userns.base);
  assert.equal(statSync(join(directory, "etc/hosts")).uid, 0);
  assert.deepEqual(
    json(directory, "pod.json").layers,
    plan.gantry.layers.map((path) => path.split("/").pop()),
  );
  assert.equal(existsSync(join(directory, "owner")), false);
  assert.deepEqual(await podEntries(store.paths), [{ uuid, directory, phase: "prepared" }]);
  assert.equal(await podOfName(store.paths, "web"), uuid);
  assert.equal(
    readlinkSync(join(store.paths.data, "ids", String((userns.base - 0x7000_0000) / 65_536))),
    `../pods/${uuid}`,
  );
});

test("an empty volume has the mode and owner that were asked for", async () => {
  using store = podStore();
  const volumes = [{ name: "tmp", kind: "empty", mode: "1777", uid: 7, gid: 8 }] as const;
  const { directory } = await prepare(store.paths, {
    volumes: [...volumes],
    mounts: [{ volume: "tmp", path: "/t" }],
  });
  const { mode, uid, gid } = statSync(join(directory, "volumes/tmp"));
  assert.deepEqual([mode & 0o7777, uid, gid], [0o1777, 7, 8]);
});

test("with the host's ids nothing is claimed", async () => {
  using store = podStore();
  const { directory } = await prepare(store.paths, { userns: "host" });
  assert.equal(statSync(join(directory, "apps/front/upper")).uid, 0);
  assert.deepEqual(readdirSync(join(store.paths.data, "ids")), []);
});

test("a name is one pod's, until that pod is gone", async () => {
  using store = podStore();
  const first = await prepare(store.paths, { name: "web" });
  const before = left(store.paths);
  await assert.rejects(
    prepare(store.paths, { name: "web" }),
    refusal("PodExists", 1, '"web"', first.uuid, "gantry rm web"),
  );
  assert.deepEqual(left(store.paths), before);
  rmSync(first.directory, { recursive: true });
  const second = await prepare(store.paths, { name: "web" });
  assert.equal(await podOfName(store.paths, "web"), second.uuid);
});

test("twenty at once with one name: one has it, nineteen leave nothing", async () => {
  using store = podStore();
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, () => prepare(store.paths, { name: "web" })),
  );
  const lost = results.filter((result) => result.status === "rejected");
  assert.equal(lost.length, 19);
  for (const { reason } of lost) assert.ok(refusal("PodExists", 1, '"web"')(reason));
  assert.equal(left(store.paths).length, 3);
});

test("a volume whose source is missing, or behind a link", async () => {
  using store = podStore();
  const volume = (source: string) => ({
    volumes: [{ name: "data", kind: "host" as const, source }],
    mounts: [{ volume: "data", path: "/data" }],
  });
  const real = join(store.paths.data, "real");
  mkdirSync(real);
  symlinkSync(real, join(store.paths.data, "link"));
  await prepare(store.paths, volume(`${real}/`));
  const before = left(store.paths);
  await assert.rejects(
    prepare(store.paths, volume(join(store.paths.data, "nope"))),
    refusal("BadVolume", 1, 'volume "data"', "nope", "does not exist"),
  );
  await assert.rejects(
    prepare(store.paths, volume(join(store.paths.data, "link"))),
    refusal("BadVolume", 1, 'volume "data"', "symbolic link", real),
  );
  assert.deepEqual(left(store.paths), before);
});

test("an image whose layer or record is gone", async () => {
  using store = podStore();
  const layer = imageRecord().layers[1]?.diffId.replace(":", "-") ?? "";
  rmSync(join(store.paths.data, "layers", layer), { recursive: true });
  await assert.rejects(
    prepare(store.paths, { name: "web" }),
    refusal("NoSuchImage", 4, layer, 'app "front"'),
  );
  mkdirSync(join(store.paths.data, "layers", layer));
  rmSync(join(store.paths.data, "images", `${IMAGE_ID}.json`));
  await assert.rejects(prepare(store.paths), refusal("NoSuchImage", 4, IMAGE_ID));
  assert.deepEqual(left(store.paths), []);
});

test("pods are found by name, UUID and unambiguous beginnings", async () => {
  using store = podStore();
  const { uuid } = await prepare(store.paths, { name: "cafe" });
  const dashed = `${uuid.slice(0, 8)}-${uuid.slice(8, 12)}`.toUpperCase();
  for (const word of ["cafe", uuid, uuid.slice(0, 6), dashed])
    assert.equal((await findPod(store.paths, word)).uuid, uuid);
  await assert.rejects(findPod(store.paths, ""), refusal("Usage", 2, "cannot be empty"));
  await assert.rejects(findPod(store.paths, "../names"), refusal("NoSuchPod", 4, '"../names"'));
  await assert.rejects(findPod(store.paths, `${uuid}0`), refusal("NoSuchPod", 4, `"${uuid}0"`));
});

test("a beginning that fits two pods", async () => {
  using store = podStore();
  for (const end of ["0", "1"]) mkdirSync(join(store.paths.data, "pods", `${"ab".repeat(15)}a${end}`));
  await assert.rejects(findPod(store.paths, "ab"), refusal("AmbiguousName", 2, '"ab" fits 2 pods'));
  assert.equal((await findPod(store.paths, `${"ab".repeat(15)}a1`)).uuid.at(-1), "1");
});

test("a range is one pod's, and only that pod gives it back", async () => {
  using store = podStore();
  const [a, b] = ["0".repeat(32), `${"0".repeat(31)}1`];
  const first = await claimIds(store.paths, a);
  const second = await claimIds(store.paths, b);
  assert.deepEqual(
    [first, second],
    [
      { mode: "pod", base: 0x7000_0000, size: 65_536 },
      { mode: "pod", base: 0x7001_0000, size: 65_536 },
    ],
  );
  await releaseIds(store.paths, b, first);
  assert.equal(readdirSync(join(store.paths.data, "ids")).length, 2);
  assert.equal(await collectIds(store.paths, async (uuid) => uuid === a), 1);
  assert.deepEqual(readdirSync(join(store.paths.data, "ids")), ["0"]);
});

test("names of pods that are gone are collected", async () => {
  using store = podStore();
  const { uuid } = await prepare(store.paths, { name: "web" });
  symlinkSync("../pods/none", join(store.paths.data, "names", "old"));
  assert.equal(await collectNames(store.paths, async (one) => one === uuid), 1);
  assert.deepEqual(readdirSync(join(store.paths.data, "names")), ["web"]);
  await assert.rejects(claimName(store.paths, "web", "other"), refusal("PodExists", 1, '"web"'));
});
