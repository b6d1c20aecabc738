/**
 * `kill -9` at every point of preparing and removing a pod. The points are the system calls that change the disk: strace
 * delivers SIGKILL at the Nth, for every N until the work gets through.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readlinkSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { buildSync } from "esbuild";
import { collectPods } from "../../../src/pod/gc.ts";
import { podEntries, readDocument } from "../../../src/pod/layout.ts";
import { PodManifest } from "../../../src/pod/manifest.ts";
import { PodRecord } from "../../../src/pod/record.ts";
import { LaunchPlan } from "../../../src/stage1/plan.ts";
import { SandboxPlan } from "../../../src/stage1/sandbox.ts";
import { UnitSet } from "../../../src/stage1/units.ts";
import { podStore, type TestPods } from "../../fixtures/pods.ts";

/** There are far fewer; more would mean that the loop does not end. */
const MOST_POINTS = 60;

const DRIVER = join(import.meta.dirname, `../../../build/cache/pod-driver.${process.pid}.mjs`);
after(() => rmSync(DRIVER, { force: true }));
buildSync({
  entryPoints: [join(import.meta.dirname, "../../fixtures/pod-driver.ts")],
  outfile: DRIVER,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  external: ["dbus-next", "systemd-journald"],
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
  logLevel: "error",
});

/** Runs the driver; with a point, killed there. True when it got through. */
function drive({ paths }: TestPods, verb: string, kill?: { call: string; point: number }): boolean {
  const words = [process.execPath, DRIVER, paths.data, verb];
  const inject = `inject=${kill?.call}:signal=KILL:when=${kill?.point}`;
  const strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${kill?.call}`, "-e", inject];
  const [program = "", ...rest] = kill === undefined ? words : [...strace, ...words];
  const { stdout, stderr, status } = spawnSync(program, rest, {
    encoding: "utf8",
    // One thread for files: system calls then come in the same order each time.
    env: { ...process.env, UV_THREADPOOL_SIZE: "1" },
  });
  assert.ok(status !== 1, stderr);
  return stdout === "done\n";
}

const noBus = () => Promise.reject(new Error("nothing here was ever started"));

async function collect({ paths }: TestPods, expirePrepared: number): Promise<void> {
  await collectPods(paths, noBus, { gracePeriod: 0, expirePrepared, dryRun: false });
}

/** A pod that is there is whole, and the claims are those of pods that are there. */
async function assertSound(store: TestPods, when: string): Promise<void> {
  await collect(store, Number.POSITIVE_INFINITY);
  const entries = await podEntries(store.paths);
  for (const { directory, phase } of entries) {
    assert.equal(phase, "prepared", when);
    const documents = [
      await readDocument(join(directory, "pod.json"), PodRecord),
      await readDocument(join(directory, "manifest.json"), PodManifest),
      await readDocument(join(directory, "sandbox.json"), SandboxPlan),
      await readDocument(join(directory, "units.json"), UnitSet),
      await readDocument(join(directory, "apps/front/plan.json"), LaunchPlan),
    ];
    assert.ok(!documents.includes(undefined), when);
  }
  const uuids = entries.map((entry) => entry.uuid);
  const { data } = store.paths;
  assert.deepEqual(
    readdirSync(join(data, "ids")).map((id) => basename(readlinkSync(join(data, "ids", id)))),
    uuids,
    when,
  );
  assert.equal(readdirSync(join(data, "names")).length, uuids.length, when);
}

function left({ paths }: TestPods): string[] {
  return ["pods", "names", "ids"].flatMap((name) => readdirSync(join(paths.data, name)));
}

for (const [call, fewest] of [
  ["mkdir", 8],
  ["symlink", 2],
  ["fdatasync", 8],
  ["rename", 1],
  ["unlink", 1],
  ["fsync", 1],
  ["chown", 2],
] as const) {
  test(`a preparation that is killed at any ${call} leaves a whole pod or nothing`, async (t) => {
    using store = podStore();
    let point = 1;
    for (; point < MOST_POINTS; point++) {
      const through = drive(store, "prepare", { call, point });
      await assertSound(store, `${call} ${point}`);
      await collect(store, 0);
      assert.deepEqual(left(store), [], `${call} ${point}`);
      if (through) break;
    }
    t.diagnostic(`${point - 1} points`);
    assert.ok(point < MOST_POINTS && point > fewest, `${point - 1} points`);
  });
}

for (const [call, fewest] of [
  ["rename", 1],
  ["unlink", 2],
] as const) {
  test(`a removal that is killed at any ${call} leaves the pod or nothing`, async (t) => {
    using store = podStore();
    let point = 1;
    for (; point < MOST_POINTS; point++) {
      assert.ok(drive(store, "prepare"));
      const through = drive(store, "remove", { call, point });
      await assertSound(store, `${call} ${point}`);
      await collect(store, 0);
      assert.deepEqual(left(store), [], `${call} ${point}`);
      if (through) break;
    }
    t.diagnostic(`${point - 1} points`);
    assert.ok(point < MOST_POINTS && point > fewest, `${point - 1} points`);
  });
}
