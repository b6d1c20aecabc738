/** `kill -9` of a re-install and of a refresh at every point, with a collection and nothing else behind it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { killedAt } from "../fixtures/faults.ts";
import { busyboxImage } from "../fixtures/images.ts";
import { importImage, type PodHost, withPods } from "../fixtures/pod-host.ts";

/** There are far fewer; more would mean that the loop does not end. */
const MOST_POINTS = 60;

const FILE = "/etc/gantry/pods/web.json";

/** A definition of one app, which is called as its image is. */
function definition(image: string): string {
  const apps = [{ name: image, image: { id: image }, args: ["sleep", "1000"] }];
  return JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", apps });
}

const INSTALL = ["gantry", "install", "--insecure-options=image", "/srv/web.json"];

async function install({ host, shell }: PodHost, image: string): Promise<void> {
  await host.put("/srv/web.json", definition(image));
  await shell(INSTALL.join(" "));
}

type Work = {
  readonly words: readonly string[];
  /** Makes a pod of image "busybox" one that is about to be replaced by one of image "other". */
  prepare(pods: PodHost): Promise<unknown>;
};

const WORK: Readonly<Record<string, Work>> = {
  "a re-install": {
    words: INSTALL,
    prepare: async (pods) => {
      await install(pods, "busybox");
      await pods.host.put("/srv/web.json", definition("other"));
    },
  },
  "a refresh": {
    words: ["gantry", "refresh", "web"],
    prepare: async (pods) => {
      // Both images are accepted.
      await install(pods, "other");
      await install(pods, "busybox");
      await pods.host.put(FILE, definition("other"));
    },
  },
};

/** A collection leaves one pod, to which the name leads, and nothing unfinished. */
async function assertTidy({ output, shell }: PodHost, when: string): Promise<void> {
  await output("gc", "--grace-period=0s", "--expire-prepared=0s");
  const counts = "echo $(ls pods | wc -l) $(ls names) $(ls ids | wc -l) $(basename names/web/pod.json)";
  const left = `cd /var/lib/gantry; ${counts}; find . -maxdepth 2 -name '.?*'; ls names/web/pod.json`;
  assert.equal(await shell(left), "1 web 1 pod.json\nnames/web/pod.json", when);
}

async function assertStarts({ host, shell }: PodHost, when: string): Promise<void> {
  const { status } = await host.exec(["systemctl", "start", "gantry@web"]);
  assert.equal(status, 0, `${when}: ${await shell("systemctl show -P StatusText gantry@web")}`);
  assert.match(await shell("systemctl list-units --plain --no-legend 'gantry-web.*.service'"), / running /);
}

type Point = Work & { readonly call: string; readonly point: number };

/** Whether the work got through. */
async function killAt(pods: PodHost, { words, prepare, call, point }: Point): Promise<boolean> {
  await prepare(pods);
  // With one thread for the disk, Node's calls come in one order, and are counted in it.
  const env = { UV_THREADPOOL_SIZE: "1" };
  const { status, stderr } = await pods.host.exec([...killedAt(call, point), ...words], { env });
  assert.ok(status === 0 || status === 137, `${call} ${point}: ${stderr}`);
  return status === 0;
}

type Order = (pods: PodHost, when: string) => Promise<void>;

/** Kills the work at each `call`, and checks what that leaves; gives the number of points. */
async function killEverywhere(pods: PodHost, work: Work & { call: string }, check: Order): Promise<number> {
  for (let point = 1; point < MOST_POINTS; point++) {
    const through = await killAt(pods, { ...work, point });
    await check(pods, `${work.call} ${point}`);
    await pods.shell("systemctl stop gantry@web");
    if (through) return point - 1;
  }
  throw new Error(`never through ${work.call}`);
}

const collectedFirst: Order = async (pods, when) => {
  await assertTidy(pods, when);
  await assertStarts(pods, when);
};

const startedFirst: Order = async (pods, when) => {
  await assertStarts(pods, when);
  await assertTidy(pods, when);
  await pods.shell("systemctl is-active gantry@web");
};

/** By call, beside those of preparing (test/src/pod/crash.test.ts): how many there are at least, and what comes first. */
const CALLS: Readonly<Record<string, readonly [fewest: number, check: Order]>> = {
  rename: [3, startedFirst],
  symlink: [3, collectedFirst],
  fsync: [2, collectedFirst],
  unlink: [3, startedFirst],
};

for (const [name, work] of Object.entries(WORK))
  test(`install: ${name} that is killed at any point leaves one pod that starts, after a collection`, async (t) => {
    await withPods(t, { name: "install-kills" }, async (pods) => {
      await importImage(pods.host, "other", await busyboxImage({ Cmd: ["other"] }));
      for (const [call, [fewest, check]] of Object.entries(CALLS)) {
        const met = await killEverywhere(pods, { ...work, call }, check);
        t.diagnostic(`${met} points of ${call}`);
        assert.ok(met >= fewest, `${met} points of ${call}`);
      }
    });
  });

test("install: several at once of one name all succeed, and leave one pod that starts, after a collection", async (t) => {
  await withPods(t, { name: "install-at-once" }, async (pods) => {
    await install(pods, "busybox");
    for (let round = 0; round < 3; round++) {
      const ends = await Promise.all(Array.from({ length: 4 }, () => pods.host.exec(INSTALL)));
      for (const { status, stderr } of ends) assert.equal(status, 0, stderr);
      await assertTidy(pods, `round ${round}`);
      await assertStarts(pods, `round ${round}`);
      await pods.shell("systemctl stop gantry@web");
    }
  });
});
