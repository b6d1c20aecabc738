/** PID 1 is executed anew, or the connection to it breaks off, while Gantry waits for what it has asked for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "../../src/manager/manager.ts";
import { assertRefusal, cleanUp, remainsAtLast } from "../fixtures/faults.ts";
import { importNotifier } from "../fixtures/notifier.ts";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";
import type { Result } from "../host/host.ts";

/** Ends when it is told to and may: an app with work to do at its end. */
const LINGERER =
  "trap 'echo ending; until [ -e /end ]; do sleep 0.1; done; exit 0' TERM; echo up; while :; do sleep 0.1; done";

async function status({ output }: PodHost, pod: string): Promise<PodStatus> {
  return JSON.parse(await output("status", "--format=json", pod));
}

async function said({ shell }: PodHost, pod: string, line: string): Promise<void> {
  await shell(
    `until journalctl --sync; journalctl -q GANTRY_POD=${pod} -o cat | grep -qx ${line}; do sleep 0.1; done`,
  );
}

/** Writes a pod manifest, whose path it returns. */
async function manifest({ host }: PodHost, name: string, apps: readonly object[]): Promise<string> {
  const all = apps.map((app) => ({ image: { id: "busybox" }, ...app }));
  const path = `/srv/${name}.json`;
  await host.put(path, JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", name, apps: all }));
  return path;
}

/** The connection breaks off at the `n`th of these calls. */
function broken({ host }: PodHost, call: string, n: number, words: readonly string[]): Promise<Result> {
  const inject = `inject=${call}:error=ECONNRESET:when=${n}`;
  return host.exec(["strace", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject, ...words]);
}

test("apps have their own time to end, however often PID 1 is executed anew meanwhile", async (t) => {
  await withPods(t, { name: "stop" }, async (pods) => {
    const { host, output, shell } = pods;
    const lingerer = [{ name: "app", args: ["sh", "-c", LINGERER], stopTimeout: 300 }];
    await output("install", "--insecure-options=image", await manifest(pods, "web", lingerer));
    await shell("systemctl start gantry@web");
    const names = ["a", "b", "c"];
    for (const name of names)
      await output("run", "--detach", `--pod-manifest=${await manifest(pods, name, lingerer)}`);
    const uuids = await Promise.all(names.map(async (name) => (await status(pods, name)).uuid));
    await shell("systemctl stop --no-block gantry@web"); // systemctl itself does not outlive what follows
    const several = await host.spawn(["gantry", "stop", ...names]);
    for (const name of ["web", ...names]) await said(pods, name, "ending");
    await shell("systemctl daemon-reexec; systemctl daemon-reexec");
    for (const name of ["web", ...names]) await output("exec", name, "touch", "/end");
    const ended = { status: 0, stdout: uuids.map((uuid) => `${uuid}\n`).join(""), stderr: "" };
    assert.deepEqual(await several.ended, ended);
    await shell("while [ $(systemctl show -P ActiveState gantry@web) = deactivating ]; do sleep 0.1; done");
    for (const name of ["web", ...names]) {
      const { state, apps } = await status(pods, name);
      assert.deepEqual([state, apps[0]?.status], ["exited", 0], name);
    }
    assert.equal(await shell("systemctl is-failed gantry@web || :"), "inactive");
    await output("uninstall", "web");
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
  });
});

test("a pod whose apps have ended is ended wherever the connection breaks off", async (t) => {
  await withPods(t, { name: "ended" }, async (pods) => {
    const { output, shell } = pods;
    const apps = [{ name: "app", args: ["sleep", "1000"] }];
    await output("install", "--insecure-options=image", await manifest(pods, "web", apps));
    await shell("systemctl mask --runtime gantry-ended@web.service");
    for (let n = 1; n <= 8; n += 1) {
      await shell("systemctl start gantry@web && gantry kill --signal=TERM web");
      await shell("while systemctl -q is-active gantry-web.slice; do sleep 0.1; done");
      assert.equal(await shell("systemctl is-active gantry@web"), "active");
      const told = await broken(pods, "recvmsg", n, ["/usr/lib/gantry/gantry-pod", "ended", "web"]);
      assert.deepEqual(told, { status: 0, stdout: "", stderr: "" }, `recvmsg ${n}`);
      await shell(
        "while systemctl show -P ActiveState gantry@web | grep -qx -e deactivating -e active; do sleep 0.1; done",
      );
    }
  });
});

test("a stop is done wherever the connection breaks off", async (t) => {
  await withPods(t, { name: "stop-broken" }, async (pods) => {
    const { output } = pods;
    const [a, b] = [
      await output("prepare", "--name=a", "busybox", "--", "sleep", "1000"),
      await output("prepare", "--name=b", "busybox", "--", "sleep", "1000"),
    ];
    for (const call of ["recvmsg", "sendmsg"]) {
      for (let n = 1; n <= 6; n += 1) {
        await output("start", "a", "b");
        const stopped = await broken(pods, call, n, ["gantry", "stop", "a", "b"]);
        assert.deepEqual(stopped, { status: 0, stdout: `${a}\n${b}\n`, stderr: "" }, `${call} ${n}`);
      }
    }
  });
});

test("every pod is started, and once, wherever the connection breaks off", async (t) => {
  await withPods(t, { name: "start-broken" }, async (pods) => {
    const { output, shell } = pods;
    const names = ["a", "b", "c"];
    const script = "echo run >>/runs; exec sleep 1000";
    const uuids = [];
    for (const name of names)
      uuids.push(await output("prepare", `--name=${name}`, "busybox", "--", "sh", "-c", script));
    let runs = 0;
    for (const call of ["recvmsg", "sendmsg"]) {
      for (let n = 1; n <= 10; n += 1) {
        const { status, stdout, stderr } = await broken(pods, call, n, ["gantry", "start", ...names]);
        assert.deepEqual(
          [status, stdout.trim().split("\n").sort(), stderr],
          [0, uuids.toSorted(), ""],
          `${call} ${n}`,
        );
        runs += 1;
        for (const name of names)
          assert.equal(
            await output("exec", name, "sh", "-c", "until [ -s /runs ]; do sleep 0.1; done; wc -l </runs"),
            `${runs}`,
            `${call} ${n}`,
          );
        await output("stop", ...names);
      }
    }
    assert.equal(await shell("systemctl list-units --no-legend --state=failed 'gantry-*'"), "");
  });
});

test("a start that fails is told and undone wherever the connection breaks off", async (t) => {
  await withPods(t, { name: "undo-broken" }, async (pods) => {
    const { output, shell } = pods;
    const apps = [
      { name: "fine", args: ["sleep", "1000"] },
      { name: "missing", args: ["/nowhere/program"] },
    ];
    await output("prepare", `--pod-manifest=${await manifest(pods, "half", apps)}`);
    for (const call of ["recvmsg", "sendmsg"]) {
      for (let n = 1; n <= 16; n += 1) {
        const failed = await broken(pods, call, n, ["gantry", "start", "half"]);
        assertRefusal(failed, 1, 'pod "half", app "missing": ', "/nowhere/program");
        await shell(
          `until [ -z "$(systemctl list-units --all --no-legend 'gantry-half*')" ]; do sleep 0.02; done`,
        );
      }
    }
  });
});

test("a start that has failed, and is being undone, when the connection is there again is told", async (t) => {
  await withPods(t, { name: "undone" }, async (pods) => {
    const { host, output, shell } = pods;
    const apps = [{ name: "missing", args: ["/nowhere/program"] }];
    await output("prepare", `--pod-manifest=${await manifest(pods, "half", apps)}`);
    const unit = "gantry-half.missing.service";
    const stopping = "[Service]\nExecStopPost=/bin/sh -c 'until [ -e /run/go ]; do sleep 0.1; done'\n";
    await host.put(`/run/systemd/system/${unit}.d/slow.conf`, stopping);
    for (const n of [3, 5]) {
      await shell("rm -f /run/go");
      const failed = host.exec([
        ...["strace", "-o", "/dev/null", "-e", "trace=recvmsg,connect"],
        ...[
          "-e",
          `inject=recvmsg:error=ECONNRESET:when=${n}`,
          "-e",
          "inject=connect:delay_enter=2000000:when=2+",
        ],
        ...["gantry", "start", "half"],
      ]);
      await shell(`until [ "$(systemctl show -P ActiveState ${unit})" = deactivating ]; do sleep 0.05; done`);
      await shell("systemctl stop --no-block gantry-half; sleep 3; touch /run/go");
      assertRefusal(await failed, 1, 'pod "half", app "missing": ', "/nowhere/program");
      await shell(
        `until [ -z "$(systemctl list-units --all --no-legend 'gantry-half*')" ]; do sleep 0.02; done`,
      );
    }
  });
});

test("a foreground pod that is told to end before systemd knows it does end", async (t) => {
  await withPods(t, { name: "early" }, async (pods) => {
    const { host, shell } = pods;
    const leaving = "--property=ExecStopPost='/bin/sh -c \"until [ -e /run/go ]; do sleep 0.05; done\"'";
    await shell(
      `systemd-run -q --unit=gantry-early ${leaving} sleep 1000 && systemctl stop --no-block gantry-early`,
    );
    const run = await host.spawn([
      "gantry",
      "run",
      "--insecure-options=image",
      "--name=early",
      "busybox",
      "--",
      "sleep",
      "1000",
    ]);
    await shell("until [ -e /var/lib/gantry/names/early/started ]; do sleep 0.01; done");
    await shell("kill -TERM $(pgrep -f '^gantry run'); touch /run/go");
    const { status, stderr } = await run.ended;
    assert.ok(status === 125 || status === 143, stderr); // The program may have begun.
    assert.match(stderr, /^gantry: pod "early".*: stopped before it was ready$/m);
    await shell(
      "while systemctl show -P ActiveState gantry-early | grep -qx deactivating; do sleep 0.1; done",
    );
    assert.equal(await shell("systemctl list-units --no-legend --plain 'gantry-early*'"), "");
  });
});

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

test("apps that run have their own time to end also when the pod is stopped before it has started", async (t) => {
  await withPods(t, { name: "early-stop" }, async (pods) => {
    await beginStart(pods);
    await pods.shell("systemctl stop --no-block gantry@web");
    await endLingering(pods);
    await pods.shell(SETTLED);
    assert.equal(await pods.shell("systemctl show -P Result -P ActiveState gantry@web"), "success\ninactive");
    assert.deepEqual(await ends(pods), [0, 15]);
    assert.equal(await pods.shell("pgrep -l gantry- || :"), "");
  });
});

test("apps that run have their own time to end also when the pod's start takes too long", async (t) => {
  await withPods(t, { name: "late" }, async (pods) => {
    const limit = "[Service]\nTimeoutStartSec=5s\n";
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
    const loss = "-e inject=poll:error=ECONNRESET:delay_enter=3000000:when=1";
    const stop = "-e inject=connect:signal=SIGTERM:when=3"; // systemd, its notify socket, and systemd again
    const strace = `strace -D -o /dev/null -e trace=poll,connect ${loss} ${stop}`;
    const script = `#!/bin/sh\nexec ${strace} ${program}.away "$@"\n`;
    await pods.shell(`mv ${program} ${program}.away`);
    await pods.host.put(program, script, 0o755);
    await beginStart(pods);
    await endLingering(pods);
    await pods.shell(SETTLED);
    assert.deepEqual(await ends(pods), [0, 15]);
  });
});

test("an installed pod is started wherever the connection breaks off", async (t) => {
  await withPods(t, { name: "installed" }, async (pods) => {
    const { host, output, shell } = pods;
    const program = "/usr/lib/gantry/gantry-start";
    const apps = ["a", "b"].map((name) => ({ name, args: ["sleep", "1000"] }));
    await output("install", "--insecure-options=image", await manifest(pods, "web", apps));
    await shell(`mv ${program} ${program}.away`);
    const traced = async (options: string) =>
      host.put(program, `#!/bin/sh\nexec strace -D -y ${options} ${program}.away "$@"\n`, 0o755);
    for (const call of ["write", "read"]) {
      await traced(`-o /srv/trace -e trace=${call}`);
      await shell("systemctl start gantry@web && systemctl stop gantry@web");
      const lines = (await shell("cat /srv/trace")).split("\n");
      const points = lines.flatMap((line, index) => (line.includes("socket:") ? [index + 1] : []));
      assert.ok(points.length > 1, lines.join("\n"));
      for (const n of points.slice(0, 10)) {
        await traced(`-o /dev/null -e trace=${call} -e inject=${call}:error=ECONNRESET:when=${n}`);
        await shell("systemctl start gantry@web");
        const active = await shell("systemctl is-active gantry@web gantry-web.a gantry-web.b");
        assert.equal(active, "active\nactive\nactive", `${call} ${n}`);
        await shell("systemctl stop gantry@web");
      }
    }
  });
});
