/** PID 1 is executed anew, or the connection to it breaks off, or a stop comes, while an installed pod starts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { holdStart, LINGERER, manifest, said, status } from "../fixtures/lingerer.ts";
import { importNotifier } from "../fixtures/notifier.ts";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";

/** Ready when it may be. */
const LATE = "until [ -e /ready ]; do sleep 0.1; done; notify-client READY=1; exec sleep 1000";

/** Begins the start of the installed pod `web`, whose second app is not ready yet when this returns. */
async function beginStart(pods: PodHost): Promise<void> {
  await importNotifier(pods.host);
  const apps = [
    { name: "lingerer", args: ["sh", "-c", LINGERER], stopTimeout: 300 },
    { name: "late", image: { id: "notifier" }, args: ["sh", "-c", LATE], ready: "app" },
  ];
  await pods.output("install", "--insecure-options=image", await manifest(pods, "web", apps));
  await pods.shell("systemctl start --no-block gantry@web");
  await said(pods, "web", "up");
  await pods.shell(
    "until grep -qsx sh /proc/$(systemctl show -P MainPID gantry-web.late)/comm; do sleep 0.1; done",
  );
}

const SETTLED =
  "while systemctl show -P ActiveState gantry@web | grep -qx -e activating -e deactivating; do sleep 0.1; done";

test("an installed pod's start goes on when PID 1 is executed anew", async (t) => {
  await withPods(t, { name: "start" }, async (pods) => {
    const { shell } = pods;
    await beginStart(pods);
    await shell("systemctl daemon-reexec; systemctl daemon-reexec");
    await shell(`touch /proc/$(systemctl show -P MainPID gantry-web.late)/root/ready; ${SETTLED}`);
    const units = "gantry@web gantry-web.lingerer gantry-web.late";
    assert.equal(await shell(`systemctl is-active ${units}`), "active\nactive\nactive");
    assert.match(await shell("ps -o comm= -p $(systemctl show -P MainPID gantry@web)"), /^gantry-sandbox/);
    await shell(
      "touch /proc/$(systemctl show -P MainPID gantry-web.lingerer)/root/end; systemctl stop gantry@web",
    );
    assert.deepEqual(await ends(pods), [0, 15]);
  });
});

/** Once the lingerer has been told to end it may, and then there is nothing left to wait for. */
async function endLingering(pods: PodHost): Promise<void> {
  const { shell } = pods;
  await said(pods, "web", "ending");
  await shell("touch /proc/$(systemctl show -P MainPID gantry-web.lingerer)/root/end");
  await shell("while systemctl -q is-active gantry-web.slice; do sleep 0.1; done");
}

async function ends(pods: PodHost): Promise<readonly (number | null | undefined)[]> {
  return (await status(pods, "web")).apps.map(({ status, signal }) => status ?? signal);
}

test("a start that is killed while it waits for an app leaves none behind", async (t) => {
  await withPods(t, { name: "killed" }, async (pods) => {
    const { shell } = pods;
    await beginStart(pods);
    const main = "$(systemctl show -P MainPID gantry@web)";
    assert.equal(await shell(`ps -o comm= -p ${main}; kill -KILL ${main}`), "gantry-start");
    await shell(SETTLED);
    assert.equal(await shell("systemctl show -P Result -P ActiveState gantry@web"), "signal\nfailed");
    const alive = "--no-legend --state=active,activating,deactivating 'gantry-web*'";
    await shell(`until [ -z "$(systemctl list-units ${alive})" ]; do sleep 0.05; done`);
    await shell("while pgrep gantry-; do sleep 0.05; done"); // what is told of the end looks at it
    const { state, apps } = await status(pods, "web");
    assert.deepEqual([state, apps.map(({ signal }) => signal !== undefined)], ["exited", [true, true]]);
  });
});

test("apps that run have their own time to end also when the pod is stopped before it has started", async (t) => {
  await withPods(t, { name: "early-stop" }, async (pods) => {
    await beginStart(pods);
    await pods.shell("systemctl stop --no-block gantry@web");
    await endLingering(pods);
    await pods.shell(SETTLED);
    assert.equal(await pods.shell("systemctl show -P Result -P ActiveState gantry@web"), "success\ninactive");
    assert.deepEqual(await ends(pods), [0, 15]);
    await pods.shell("while pgrep gantry-; do sleep 0.05; done"); // what is told of the slice's end looks at it
  });
});

test("apps that run have their own time to end also when the pod's start takes too long", async (t) => {
  await withPods(t, { name: "late" }, async (pods) => {
    const limit = "[Service]\nTimeoutStartSec=20s\n";
    await pods.host.put("/etc/systemd/system/gantry@web.service.d/limit.conf", limit);
    await beginStart(pods);
    await endLingering(pods);
    await pods.shell(SETTLED);
    assert.equal(await pods.shell("systemctl show -P Result -P ActiveState gantry@web"), "timeout\nfailed");
    assert.deepEqual(await ends(pods), [0, 15]);
  });
});

test("apps that run have their own time to end also when the stop comes while the connection is away", async (t) => {
  await withPods(t, { name: "away" }, async (pods) => {
    const program = "/usr/lib/gantry/gantry-start";
    // It stops where the connection breaks off, so that the apps are there before it goes on.
    const loss = "-e inject=poll:error=ECONNRESET:signal=SIGSTOP:when=1";
    const stop = "-e inject=connect:signal=SIGTERM:when=3"; // systemd, its notify socket, and systemd again
    const strace = `strace -D -o /dev/null -e trace=poll,connect ${loss} ${stop}`;
    const script = `#!/bin/sh\nexec ${strace} ${program}.away "$@"\n`;
    await pods.shell(`mv ${program} ${program}.away`);
    await pods.host.put(program, script, 0o755);
    await beginStart(pods);
    await pods.shell("kill -CONT $(systemctl show -P MainPID gantry@web)");
    await endLingering(pods);
    await pods.shell(SETTLED);
    assert.deepEqual(await ends(pods), [0, 15]);
  });
});

const PROGRAM = "/usr/lib/gantry/gantry-start";

/** Installs the pod `web`; `traced` then puts strace before its starts, and `points` says which calls go to a socket. */
async function installTraced(pods: PodHost) {
  const { host, output, shell } = pods;
  const apps = ["a", "b"].map((name) => ({ name, args: ["sleep", "1000"] }));
  await output("install", "--insecure-options=image", await manifest(pods, "web", apps));
  await shell(`mv ${PROGRAM} ${PROGRAM}.away`);
  const traced = async (options: string) =>
    host.put(PROGRAM, `#!/bin/sh\nexec strace -D -y ${options} ${PROGRAM}.away "$@"\n`, 0o755);
  const points = async (call: string) => {
    await traced(`-o /srv/trace -e trace=${call}`);
    await shell("systemctl start gantry@web && systemctl stop gantry@web");
    const lines = (await shell("cat /srv/trace")).split("\n");
    return lines.flatMap((line, index) => (line.includes("socket:") ? [index + 1] : []));
  };
  return { traced, points };
}

test("an installed pod is started wherever the connection breaks off", async (t) => {
  await withPods(t, { name: "installed" }, async (pods) => {
    const { shell } = pods;
    const { traced, points } = await installTraced(pods);
    for (const call of ["write", "read"]) {
      const all = await points(call);
      assert.ok(all.length > 1, String(all));
      for (const n of all.slice(0, 10)) {
        await traced(`-o /dev/null -e trace=${call} -e inject=${call}:error=ECONNRESET:when=${n}`);
        await shell("systemctl start gantry@web");
        const active = await shell("systemctl is-active gantry@web gantry-web.a gantry-web.b");
        assert.equal(active, "active\nactive\nactive", `${call} ${n}`);
        await shell("systemctl stop gantry@web");
      }
    }
  });
});

test("an installed pod's start that still waits in systemd's queue when the connection is there again is waited for", async (t) => {
  await withPods(t, { name: "queued" }, async (pods) => {
    const { shell } = pods;
    const { traced, points } = await installTraced(pods);
    const [first] = await points("read");
    await holdStart(pods, "gantry-web.slice");
    await traced(`-o /dev/null -e trace=read -e inject=read:error=ECONNRESET:when=${first}`);
    await shell("systemctl daemon-reload; systemctl start --no-block gantry@web");
    await shell("until systemctl list-jobs | grep -q 'gantry-web.slice.*waiting'; do sleep 0.05; done");
    await shell(`sleep 4; touch /run/go; ${SETTLED}`);
    const active = await shell("systemctl is-active gantry@web gantry-web.a gantry-web.b || :");
    assert.equal(active, "active\nactive\nactive");
  });
});
