/** Transfers that end badly, each process of theirs killed at each phase: what is told, and that nothing is left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Behaviour,
  FETCH,
  type FetchHost,
  fetchRemains,
  SOURCE,
  untilUnit,
  withFetchHost,
} from "../fixtures/fetch-host.ts";
import { manyLayerImage } from "../fixtures/images.ts";
import { tarOf } from "../fixtures/tar.ts";

/** The next fetch does what this one should have done. */
async function assertWorks(fetches: FetchHost): Promise<void> {
  await fetches.behave({});
  const { status, stdout, stderr } = await fetches.fetch();
  assert.deepEqual([status, stdout], [0, `${fetches.id}\n`], stderr);
  await fetches.shell("gantry image rm registry.test/app:1");
  await assertEmpty(fetches);
}

async function assertEmpty(fetches: FetchHost): Promise<void> {
  assert.equal(await fetchRemains(fetches), "");
  const places = ["layers", "images", "blobs/sha256"].map((place) => `/var/lib/gantry/${place}`).join(" ");
  assert.equal(await fetches.shell(`find ${places} -mindepth 1 -maxdepth 1`), "");
}

const FAILURES: readonly (readonly [Behaviour, ...told: RegExp[]])[] = [
  [
    { resolve: "die" },
    /^gantry: the fetcher ended without a result: signal$/m,
    /^hint: journalctl -u gantry-fetch-/m,
  ],
  [{ resolve: "fail" }, /^gantry: the registry has burnt down$/m, /^hint: call the fire brigade$/m],
  [{ resolve: "babble" }, /^gantry: the fetcher wrote what is no event$/m],
  [{ layer: "die" }, /^gantry: the fetcher ended without a result: signal$/m],
  // Its own reason, and not that the unpacker was stopped or got too little.
  [{ layer: "fail" }, /^gantry: the line was cut$/m, /^hint: call the fire brigade$/m],
  [{ layer: "wrong" }, /^gantry: layer sha256:[0-9a-f]{64}: the digest of the archive is sha256:/m],
];

test("a fetcher that fails, dies or lies: one sentence, nothing left, and the next fetch works", async (t) => {
  await withFetchHost(t, { name: "failing" }, async (fetches) => {
    for (const [behaviour, ...told] of FAILURES) {
      await fetches.behave(behaviour);
      const { status, stdout, stderr } = await fetches.fetch();
      assert.deepEqual([status, stdout], [1, ""], stderr);
      for (const text of told) assert.match(stderr, text, JSON.stringify(behaviour));
      await assertEmpty(fetches);
    }
    await assertWorks(fetches);
  });
});

const PHASES: readonly (readonly [Behaviour, "fetch" | "unpack"])[] = [
  [{ resolve: "stall" }, "fetch"],
  // It waits for a layer by then.
  [{ resolve: "stall" }, "unpack"],
  [{ layer: "stall" }, "unpack"],
];

test("an interrupt ends a fetch at each phase, of fetch and of run, and leaves nothing", async (t) => {
  await withFetchHost(t, { name: "interrupt" }, async (fetches) => {
    for (const [behaviour, unit] of PHASES) {
      for (const argv of [FETCH, ["gantry", "run", "--insecure-options=image", SOURCE]]) {
        await fetches.behave(behaviour);
        const fetching = await fetches.start(argv);
        await untilUnit(fetches, unit);
        // As a terminal does it: everybody in the foreground gets it.
        await fetches.host.exec(["pkill", "-INT", "-f", `cli.*${argv[1]}`]);
        const { status, stderr } = await fetching.ended;
        assert.equal(status, argv === FETCH ? 1 : 125, stderr);
        assert.match(stderr, /^gantry: the fetch was cancelled$/m);
        await assertEmpty(fetches);
      }
    }
    await assertWorks(fetches);
  });
});

test("a manager that is killed at any phase takes its fetcher along, and gc removes the rest", async (t) => {
  await withFetchHost(t, { name: "manager" }, async (fetches) => {
    for (const [behaviour, unit] of PHASES) {
      await fetches.behave(behaviour);
      const fetching = await fetches.start();
      await untilUnit(fetches, unit);
      await fetches.host.exec(["pkill", "-KILL", "-f", "cli.*fetch"]);
      assert.notEqual((await fetching.ended).status, 0);
      assert.match(await fetches.shell("ls /var/lib/gantry/inbox"), /^\d+-/);
      await fetches.shell("gantry gc");
      await assertEmpty(fetches);
    }
    await assertWorks(fetches);
  });
});

test("a killed fetcher or unpacker is told from each other, and leaves nothing", async (t) => {
  await withFetchHost(t, { name: "killed" }, async (fetches) => {
    const victims = [
      [{ resolve: "stall" }, "fetch", "fetch", /^gantry: the fetcher ended without a result: signal$/m],
      [{ layer: "stall" }, "unpack", "fetch", /^gantry: the fetcher ended without a result: signal$/m],
      [
        { layer: "stall" },
        "unpack",
        "unpack",
        /^gantry: the unpacker of layer sha256:[0-9a-f]{64} was stopped: signal$/m,
      ],
    ] as const;
    for (const [behaviour, unit, victim, told] of victims) {
      await fetches.behave(behaviour);
      const fetching = await fetches.start();
      await untilUnit(fetches, unit);
      await fetches.shell(`systemctl kill -s KILL 'gantry-${victim}-*'`);
      const { status, stderr } = await fetching.ended;
      assert.equal(status, 1, stderr);
      assert.match(stderr, told);
      await assertEmpty(fetches);
    }
    await assertWorks(fetches);
  });
});

test("an agent that is killed in the middle of a fetch leaves nothing that gc does not remove", async (t) => {
  await withFetchHost(t, { name: "agent" }, async (fetches) => {
    for (const [behaviour, unit] of PHASES) {
      await fetches.behave(behaviour);
      const call = "busctl call org.gantry1 /org/gantry1 org.gantry1.Manager FetchImage";
      await fetches.shell(`${call} 'sa{sv}' ${SOURCE} 1 insecure as 1 image`);
      await untilUnit(fetches, unit);
      await fetches.shell("systemctl kill -s KILL gantry-agent; systemctl reset-failed gantry-agent || true");
      await fetches.until("! systemctl is-active --quiet gantry-agent");
      await fetches.shell("systemctl reset-failed gantry-agent || true; gantry gc");
      await assertEmpty(fetches);
    }
    await assertWorks(fetches);
  });
});

test("a disk that is full, or gets full, is told; nothing is left, and with room the fetch works", async (t) => {
  const zeros = await tarOf([{ name: "zeros", body: Buffer.alloc(100_000_000) }]);
  const { layers } = await manyLayerImage(1);
  await withFetchHost(
    t,
    { name: "full", data: { ext4MiB: 32 }, image: { layers: [...layers, zeros] } },
    async (fetches) => {
      const { shell } = fetches;
      const free = () => shell("df --output=avail /var/lib/gantry | tail -1");
      // Makes the store's directories.
      await fetches.behave({ resolve: "fail" });
      await fetches.fetch();
      await fetches.behave({});
      const before = await free();
      const large = await fetches.fetch();
      assert.deepEqual([large.status, large.stdout], [1, ""], large.stderr);
      assert.match(large.stderr, /no space is left in "\/var\/lib\/gantry\/inbox\//);
      // Layers that were whole by then are kept for another try, until they are collected.
      assert.equal(await fetchRemains(fetches), "");
      await shell("gantry gc");
      await assertEmpty(fetches);
      assert.equal(await free(), before);
      await shell("dd if=/dev/zero of=/var/lib/gantry/fill bs=4k 2>/dev/null; sync -f /var/lib/gantry; true");
      const none = await fetches.fetch();
      assert.deepEqual([none.status, none.stdout], [1, ""], none.stderr);
      assert.match(none.stderr, /no space is left in "\/var\/lib\/gantry/);
      await assertEmpty(fetches);
    },
  );
});
