/** SIGKILL at many points of a pod's start and end: each process of Gantry in turn, then gc, and the next run works. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "../../src/manager/manager.ts";
import { cleanUp, killedAt, remainsAtLast } from "../fixtures/faults.ts";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";

const KILLED = 137;
/** There are fewer points; more would mean that the loop does not end. */
const MOST_POINTS = 60;

/** Kills a run at the Nth call for every N, until it gets through; returns how many points that were. */
async function killEverywhere(
  pods: PodHost,
  call: string,
  check: (status: number, stderr: string) => void,
): Promise<number> {
  for (let point = 1; point < MOST_POINTS; point++) {
    const strace = killedAt(call, point, { children: check === checkNode });
    const run = ["run", "--insecure-options=image", `--name=${call}-${point}`, "busybox", "--", "true"];
    // With one thread for the disk, Node's calls come in one order, and are counted in it.
    const env = { UV_THREADPOOL_SIZE: "1" };
    const { status, stderr } = await pods.host.exec([...strace, "gantry", ...run], { env });
    if (status === 0) return point - 1;
    check(status, `${call} ${point}: ${stderr}`);
  }
  throw new Error(`never through ${call}`);
}

function checkFront(status: number, stderr: string): void {
  assert.equal(status, KILLED, stderr);
}

/** The front outlives Node and says so, or dies of the same calls. */
function checkNode(status: number, stderr: string): void {
  if (status === KILLED) return;
  assert.equal(status, 125, stderr);
  assert.match(stderr, /gantry: Node\.js was killed by SIGKILL before anything was started\nhint: gantry gc/);
}

async function assertCleanable(pods: PodHost): Promise<void> {
  await cleanUp(pods);
  assert.equal(await remainsAtLast(pods), "");
  assert.equal(await pods.output("run", "--name=next", "busybox", "--", "echo", "next"), "next");
  await cleanUp(pods);
  assert.equal(await remainsAtLast(pods), "");
}

/** By call, and how many there are at least. */
type Calls = Readonly<Record<string, number>>;

/** How a front launches: Node, what is read, the fact, the call to systemd, the pod's streams. */
const FRONT: Calls = { clone: 1, connect: 2, renameat: 1, fsync: 2, sendmsg: 3 };

test("a front that is killed at any point leaves pods that can be stopped and collected", async (t) => {
  await withPods(t, { name: "front" }, async (pods) => {
    for (const [call, fewest] of Object.entries(FRONT)) {
      const met = await killEverywhere(pods, call, checkFront);
      assert.ok(met >= fewest, `${met} points of ${call}`);
    }
    await assertCleanable(pods);
  });
});

/** What Node does to the disk. */
const NODE: Calls = { mkdir: 5, symlink: 2, unlink: 1, rename: 1, fdatasync: 5 };

test("a Node that is killed at any point leaves nothing that gc can't clean, and the front says so", async (t) => {
  await withPods(t, { name: "node" }, async (pods) => {
    for (const [call, fewest] of Object.entries(NODE)) {
      const met = await killEverywhere(pods, call, checkNode);
      assert.ok(met >= fewest, `${met} points of ${call}`);
    }
    await assertCleanable(pods);
  });
});

/** Has a program of the host killed at its `point`th call of `calls`, under its own pid. */
async function wrap(pods: PodHost, program: string, killed: readonly string[]): Promise<void> {
  const path = `/usr/lib/gantry/${program}`;
  await pods.shell(`[ -e ${path}.real ] || mv ${path} ${path}.real`);
  const [strace = "", ...words] = killed;
  await pods.host.put(path, `#!/bin/sh\nexec ${strace} -D ${words.join(" ")} ${path}.real "$@"\n`, 0o755);
}

async function unwrap(pods: PodHost, program: string): Promise<void> {
  await pods.shell(`mv /usr/lib/gantry/${program}.real /usr/lib/gantry/${program}`);
}

type Victim = { readonly program: string; readonly call: string };

/** Starts a pod for ever later calls at which its program dies; a start that fails says so. Returns how many. */
async function killProgram(pods: PodHost, { program, call }: Victim): Promise<number> {
  for (let point = 1, met = 0; point < 1000; point = Math.ceil(point * 1.8), met++) {
    // The sandbox's child is the pod's pid 1; what stage1 starts is the app, which dies of its own.
    await wrap(pods, program, killedAt(call, point, { children: program === "gantry-sandbox" }));
    const name = `${program}-${call.replaceAll("_", "-")}-${point}`;
    const words = ["run", `--name=${name}`, "busybox", "--", "sh", "-c", "exit 7"];
    const { status, stderr } = await pods.gantry(words);
    if (status === 7) return met;
    assert.equal(status, 125, `${program} ${point}: ${stderr}`);
    assert.ok(stderr.startsWith(`gantry: pod "${name}"`), `${program} ${point}: ${stderr}`);
    assert.match(
      stderr,
      /signal, status 9|stopped before it was ready|ended before it was ready/,
      `${program} ${point}`,
    );
  }
  throw new Error(`${program} never gets through ${call}`);
}

const PROGRAMS: Readonly<Record<string, Calls>> = {
  "gantry-stage1": { open: 2, openat: 2, mount: 2, mkdirat: 1, setns: 1, connect: 1, prctl: 1, sendmsg: 1 },
  "gantry-sandbox": {
    clone3: 1,
    open: 2,
    openat: 1,
    mount: 1,
    pivot_root: 1,
    bind: 1,
    capset: 1,
  },
};

for (const [program, calls] of Object.entries(PROGRAMS))
  test(`a ${program} that is killed at many points fails the start by name and leaves nothing`, async (t) => {
    await withPods(t, { name: "native" }, async (pods) => {
      for (const [call, fewest] of Object.entries(calls)) {
        const met = await killProgram(pods, { program, call });
        t.diagnostic(`${met} points of ${call}`);
        assert.ok(met >= fewest, `${met} points of ${call}`);
      }
      await unwrap(pods, program);
      await assertCleanable(pods);
    });
  });

test("a killed gantry-record costs the exit fact at most: the pod ends, is told as exited, and goes", async (t) => {
  await withPods(t, { name: "record" }, async (pods) => {
    const names = [];
    for (const call of ["openat", "fsync", "renameat", "connect"]) {
      for (const point of [1, 2, 4]) {
        await wrap(pods, "gantry-record", killedAt(call, point, { children: false }));
        names.push(`${call}-${point}`);
        await pods.gantry(["run", `--name=${call}-${point}`, "busybox", "--", "sh", "-c", "exit 7"]);
      }
    }
    for (const name of names) {
      await pods.output("status", "--wait", name);
      const ended: PodStatus = JSON.parse(await pods.output("status", "--format=json", name));
      const [app] = ended.apps;
      assert.equal(ended.state, "exited", name);
      assert.ok(app?.status === 7 || app?.status === undefined, `${name}: ${JSON.stringify(app)}`);
    }
    await unwrap(pods, "gantry-record");
    await assertCleanable(pods);
  });
});

test("a sandbox or an app that is killed while it runs ends the pod; both ends are told", async (t) => {
  await withPods(t, { name: "running" }, async (pods) => {
    for (const name of ["a", "b"]) {
      await pods.output("run", "--detach", `--name=${name}`, "busybox", "--", "sleep", "1000");
    }
    await pods.shell("kill -9 $(systemctl show -P MainPID gantry-a.service)");
    await pods.shell("kill -9 $(systemctl show -P MainPID gantry-b.busybox.service)");
    for (const name of ["a", "b"]) {
      await pods.output("status", "--wait", name);
      const ended: PodStatus = JSON.parse(await pods.output("status", "--format=json", name));
      assert.deepEqual([ended.state, ended.apps[0]?.signal], ["exited", 9], name);
    }
    await assertCleanable(pods);
  });
});

test("a slice that systemd kept goes with its pod", async (t) => {
  await withPods(t, { name: "slice" }, async (pods) => {
    await pods.output("run", "--name=left", "busybox", "--", "true");
    await pods.shell("systemctl start gantry-left.slice && systemctl is-active gantry-left.slice");
    await pods.output("rm", "left");
    assert.equal(await remainsAtLast(pods), "");
  });
});
