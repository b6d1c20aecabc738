/** A data directory without a free block: what needs space is refused and leaves nothing, what frees space works. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "../../src/manager/manager.ts";
import { connectClient } from "../fixtures/agent.ts";
import { assertRefusal, cleanUp, remains, remainsAtLast } from "../fixtures/faults.ts";
import { manyLayerImage } from "../fixtures/images.ts";
import { importImage, type PodHost, withPods } from "../fixtures/pod-host.ts";

const DATA = "/var/lib/gantry";
const SMALL = { ext4MiB: 32 };
const FETCH = ["fetch", "--insecure-options=image", "oci-archive:/srv/busybox.tar"];

async function fill({ shell }: PodHost): Promise<void> {
  await shell(
    `dd if=/dev/zero of=${DATA}/fill bs=4k 2>/dev/null; dd if=/dev/zero of=${DATA}/fill bs=1 oflag=append conv=notrunc 2>/dev/null; sync -f ${DATA}; true`,
  );
}

async function claims({ shell }: PodHost): Promise<string> {
  return await shell(`cd ${DATA} && ls -A pods names ids inbox`);
}

test("on a full disk import, run and prepare are refused and leave nothing; removing works and makes room", async (t) => {
  await withPods(t, { name: "full", data: SMALL }, async (pods) => {
    const { gantry, output, shell } = pods;
    assert.equal((await gantry(["run", "--name=done", "busybox", "--", "sh", "-c", "exit 3"])).status, 3);
    await output("run", "--detach", "--name=lives", "busybox", "--", "sleep", "1000");
    await fill(pods);
    const before = await claims(pods);
    for (const words of [
      ["run", "busybox", "--", "true"],
      ["run", "--userns=host", "busybox", "--", "true"],
    ]) {
      assertRefusal(await gantry(words), 125, `no space is left in "${DATA}"`, "hint: remove an image");
    }
    assertRefusal(await gantry(["prepare", "--name=new", "busybox"]), 1, `no space is left in "${DATA}"`);
    assert.equal(await claims(pods), before, "a refusal leaves no claim");
    assert.equal(await output("exec", "lives", "echo", "works"), "works");
    const known: PodStatus[] = JSON.parse(await output("list", "--format=json"));
    assert.deepEqual(known.map(({ name, state }) => `${name} ${state}`).sort(), [
      "done exited",
      "lives running",
    ]);
    await output("rm", "done");
    await output("rm", "--force", "lives");
    await output("image", "rm", "busybox");
    await output("gc", "--grace-period=0s");
    assert.equal(await remainsAtLast(pods), "");
    await fill(pods);
    assertRefusal(await gantry(FETCH), 1, `no space is left in "${DATA}`);
    assert.equal(await remains(pods), "");
    assert.equal(await shell(`find ${DATA}/layers ${DATA}/images ${DATA}/tags -mindepth 1`), "");
    await shell(`rm ${DATA}/fill`);
    await output(...FETCH);
    assert.equal(await output("run", "busybox", "--", "echo", "again"), "again");
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
  });
});

/** What the store holds of images. */
async function stored({ shell }: PodHost): Promise<string[]> {
  return (await shell(`cd ${DATA} && ls images tags layers blobs/sha256`))
    .split("\n")
    .filter((line) => /^sha256-|^[0-9a-f]{64}|%3A/.test(line));
}

test("without a free block on the disk, images that nobody uses go, and so does what nothing names", async (t) => {
  await withPods(t, { name: "collect", data: SMALL }, async (pods) => {
    const { host, gantry, output, shell } = pods;
    assert.equal((await gantry(["run", "--name=done", "busybox", "--", "true"])).status, 0);
    const kept = await stored(pods);
    // Layers enough for the directory's blocks to have no room for a longer name.
    await importImage(host, "many", await manyLayerImage(60));
    await importImage(host, "lost", await manyLayerImage(30));
    await shell(`cd ${DATA} && rm images/$(basename $(readlink tags/*lost*)) tags/*lost*`);
    await fill(pods);
    const would = JSON.parse(await output("image", "gc", "--dry-run", "--grace-period=0s", "--format=json"));
    assert.deepEqual(
      would.images.map(({ names }: { names: string[] }) => names),
      [["localhost/many:latest"]],
    );
    const did = JSON.parse(await output("image", "gc", "--grace-period=0s", "--format=json"));
    assert.deepEqual(did.images, would.images);
    assert.deepEqual(await stored(pods), kept, "and nothing else");
    assert.ok(Number(await shell(`df --output=avail ${DATA} | tail -1`)) > 100, "there is room again");
    assert.equal(await output("run", "busybox", "--", "echo", "works"), "works");
    await cleanUp(pods);
    await fill(pods);
    await output("image", "gc", "--grace-period=0s");
    assert.deepEqual(await stored(pods), []);
    assert.equal(await remainsAtLast(pods), "");
  });
});

test("what nothing names goes from a full disk, however full the directories are", async (t) => {
  for (const layers of [6, 12, 24, 48]) {
    await withPods(t, { name: `lost-${layers}`, data: SMALL }, async (pods) => {
      const { host, output, shell } = pods;
      await importImage(host, "many", await manyLayerImage(layers - 1));
      await shell(`cd ${DATA} && rm -r images/* tags/*`);
      await fill(pods);
      await output("image", "gc", "--grace-period=0s");
      assert.deepEqual(await stored(pods), []);
    });
  }
});

test("a disk that is full at the start of a prepared pod, and while an app writes", async (t) => {
  await withPods(t, { name: "start", data: SMALL }, async (pods) => {
    const { gantry, output, shell } = pods;
    await output("prepare", "--name=ready", "busybox", "--", "true");
    await using agent = await connectClient(pods.host);
    const write = "head -c 100m /dev/zero >/big; echo $? >/result; exec sleep 1000";
    await output("run", "--detach", "--name=writer", "busybox", "--", "sh", "-c", write);
    const waiting = "while ! [ -e /result ]; do sleep 0.1; done; wc -c </big";
    const written = Number(await output("exec", "writer", "sh", "-c", waiting));
    assert.ok(written > 1_000_000 && written < 100_000_000, String(written));
    await fill(pods);
    assertRefusal(await gantry(["run-prepared", "ready"]), 125, /no space is left|No space left on device/);
    // A start needs a few blocks, and it takes another way for each that is missing: every one is told as what it is.
    for (let blocks = 1; blocks <= 8; blocks += 1) {
      await shell(`truncate -s -4k ${DATA}/fill && sync -f ${DATA}`);
      const { status, stderr } = await gantry(["start", "ready"]);
      if (status === 0) break;
      assert.match(stderr, /no space is left|No space left on device/, `${blocks} blocks`);
      const { Error: error } = await agent.ended(await agent.call("StartPod", { pod: "ready", options: {} }));
      assert.deepEqual(error[0], "org.gantry1.Error.StoreFull", error[1]);
      assert.match(error[1], /no space is left|No space left on device/);
    }
    await output("stop", "ready").catch(() => undefined);
    const known: PodStatus[] = JSON.parse(await output("list", "--format=json"));
    assert.deepEqual(known.map(({ name }) => name).sort(), ["ready", "writer"]);
    await output("stop", "writer");
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
    assert.ok(
      Number(await shell(`df --output=avail ${DATA} | tail -1`)) > 1000,
      "what the app wrote is free again",
    );
    assert.equal(await output("run", "busybox", "--", "echo", "again"), "again");
  });
});
