/** PID 1 is executed anew, or the connection to it breaks off, while Gantry waits for what it has asked for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertRefusal, cleanUp, remainsAtLast } from "../fixtures/faults.ts";
import { holdStart, LINGERER, manifest, said, status } from "../fixtures/lingerer.ts";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";
import type { Result } from "../host/host.ts";

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
    for (const name of ["web", ...names]) await said(pods, name, "up");
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

test("a start that is undone waits for its apps also when its own job is told of late", async (t) => {
  await withPods(t, { name: "late" }, async (pods) => {
    const { host, output, shell } = pods;
    const apps = [
      {
        name: "fine",
        args: ["sh", "-c", LINGERER.replace("echo up", "touch /up; echo up")],
        stopTimeout: 300,
      },
      { name: "missing", args: ["/nowhere/program"] },
    ];
    const uuid = await output("prepare", `--pod-manifest=${await manifest(pods, "half", apps)}`);
    const fine = `/var/lib/gantry/pods/${uuid}/apps/fine/upper`;
    const second = `[Service]\nExecStartPre=/bin/sh -c 'until [ -e ${fine}/up ]; do sleep 0.1; done; sleep 0.5'\n`;
    await host.put("/run/systemd/system/gantry-half.missing.service.d/second.conf", second);
    /** The sandbox's start is let go when the front has made `calls` calls like this. */
    const run = async (options: readonly string[], call: string, calls: number) => {
      await shell(`rm -f /run/go /run/trace ${fine}/end ${fine}/up`);
      await holdStart(pods, "gantry-half.service");
      const loss = ["-e", "trace=recvmsg,sendmsg", "-e", "inject=recvmsg:error=ECONNRESET:when=3"];
      const start = [
        "strace",
        "-o",
        "/run/trace",
        "-s",
        "400",
        ...loss,
        ...options,
        "gantry",
        "start",
        "half",
      ];
      const after = "systemctl show -P ActiveState gantry-half.fine";
      const started = await host.spawn(["sh", "-c", `${start.join(" ")}; echo $?; ${after}`]);
      const made = `[ "$(grep '^sendmsg(' /run/trace | grep -cF '${call}')" -ge ${calls} ]`;
      await shell(`until ${made}; do sleep 0.05; done; touch /run/go`);
      await started.until(/missing/);
      await shell("sleep 1");
      await output("exec", "--app=fine", "half", "touch", "/end");
      const { stdout, stderr } = await started.ended;
      assert.match(stderr, /^gantry: pod "half", app "missing": .*\/nowhere\/program/);
      assert.equal(stdout, "1\ninactive\n");
    };
    await run([], "\\0Job\\0", 4);
    const sent = (await shell("grep '^sendmsg(' /run/trace")).split("\n");
    const again = sent.findLastIndex((line) => line.includes("StartTransientUnit"));
    const asked = sent.flatMap((line, i) => (i > again && line.includes("\\0Job\\0") ? [i + 1] : []));
    assert.ok(asked[1] !== undefined, sent.join("\n"));
    await run(["-e", `inject=sendmsg:delay_enter=4000000:when=${asked[1]}`], "\\0ActiveState\\0", 1);
  });
});

test("a pod that ends while its start is called for once more runs once", async (t) => {
  await withPods(t, { name: "once" }, async (pods) => {
    const { host, output, shell } = pods;
    const uuid = await output("prepare", "--name=short", "busybox", "--", "sh", "-c", "echo run >>/runs");
    const leaving =
      "[Service]\nTimeoutStopSec=infinity\nExecStop=/bin/sh -c 'until [ -e /run/go ]; do sleep 0.1; done'\n";
    await host.put("/run/systemd/system/gantry-short.service.d/slow.conf", leaving);
    const started = await host.exec([
      ...["strace", "-o", "/run/trace", "-s", "400", "-e", "trace=recvmsg,sendmsg,connect"],
      ...["-e", "inject=recvmsg:error=ECONNRESET:when=3", "-e", "inject=connect:delay_enter=4000000:when=2"],
      ...["gantry", "start", "short"],
    ]);
    assert.deepEqual(started, { status: 0, stdout: `${uuid}\n`, stderr: "" });
    assert.equal(await shell("grep -c 'sendmsg.*StartTransientUnit' /run/trace"), "2");
    await shell("until [ $(systemctl show -P ActiveState gantry-short) = deactivating ]; do sleep 0.1; done");
    await shell("touch /run/go");
    await output("status", "--wait=30s", "short");
    assert.equal(await shell(`cat /var/lib/gantry/pods/${uuid}/apps/busybox/upper/runs`), "run");
  });
});

test("a start that still waits in systemd's queue when the connection is there again is waited for", async (t) => {
  await withPods(t, { name: "queued" }, async (pods) => {
    const { host, output, shell } = pods;
    const uuid = await output("prepare", "--name=late", "busybox", "--", "sleep", "1000");
    await holdStart(pods, "gantry-late.service");
    const loss = ["-e", "trace=recvmsg", "-e", "inject=recvmsg:error=ECONNRESET:when=3"];
    const started = host.exec(["strace", "-o", "/dev/null", ...loss, "gantry", "start", "late"]);
    await shell("until systemctl list-jobs | grep -q 'gantry-late.service.*waiting'; do sleep 0.05; done");
    await shell("sleep 4; touch /run/go");
    assert.deepEqual(await started, { status: 0, stdout: `${uuid}\n`, stderr: "" });
    assert.equal(await shell("systemctl is-active gantry-late"), "active");
  });
});

test("who comes while PID 1 has no socket waits for it", async (t) => {
  await withPods(t, { name: "no-socket" }, async (pods) => {
    const { host, output, shell } = pods;
    const uuid = await output("prepare", "--name=web", "busybox", "--", "sleep", "1000");
    const sockets = ["/run/systemd/private", "/run/dbus/system_bus_socket"];
    await shell(sockets.map((path) => `mv ${path} ${path}.away`).join("; "));
    const started = await host.spawn(["strace", "-e", "trace=connect", "gantry", "start", "web"]);
    await started.until(/systemd\/private.* ENOENT/);
    await shell(sockets.map((path) => `mv ${path}.away ${path}`).join("; "));
    assert.deepEqual([(await started.ended).status, started.stdout()], [0, `${uuid}\n`]);
    assert.equal(await shell("systemctl is-active gantry-web"), "active");
  });
});

test("signals to a foreground pod arrive also when the connection breaks off over it", async (t) => {
  await withPods(t, { name: "signal" }, async (pods) => {
    const { host, shell } = pods;
    const told = 'for i in $(seq 600); do [ "$a$b" = 12 ] && break; sleep 0.1; done; echo told $a$b';
    const app = `trap a=1 USR1; trap b=2 USR2; echo up; ${told}`;
    const run = async (name: string, options: readonly string[]) => {
      const strace = ["strace", "-o", "/run/trace", "-s", "400", "-e", "trace=sendmsg", ...options];
      const running = await host.spawn([
        ...strace,
        "gantry",
        "run",
        "--insecure-options=image",
        `--name=${name}`,
        "busybox",
        "--",
        "sh",
        "-c",
        app,
      ]);
      await said(pods, name, "up");
      // Both wait for it at once.
      await shell("p=$(pgrep -f '^gantry run'); kill -STOP $p; kill -USR1 $p; kill -USR2 $p; kill -CONT $p");
      return await running.ended;
    };
    const both = { status: 0, stdout: "up\ntold 12\n", stderr: "" };
    assert.deepEqual(await run("traced", []), both);
    const lines = (await shell("grep '^sendmsg(' /run/trace")).split("\n");
    const n = lines.findIndex((line) => line.includes("KillUnit")) + 1;
    assert.ok(n > 0, lines.join("\n"));
    assert.deepEqual(await run("broken", ["-e", `inject=sendmsg:error=ECONNRESET:when=${n}`]), both);
    assert.match(await shell("cat /run/trace"), /KillUnit.* = -1 ECONNRESET.*INJECTED/);
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
    const begun = "until [ -e /var/lib/gantry/names/early/started ]; do sleep 0.01; done";
    await shell(`${begun}; kill -TERM $(pgrep -f '^gantry run'); touch /run/go`);
    const { status, stderr } = await run.ended;
    assert.ok(status === 125 || status === 143, stderr); // The program may have begun.
    assert.match(stderr, /^gantry: pod "early".*: stopped before it was ready$/m);
    await shell(
      "while systemctl show -P ActiveState gantry-early | grep -qx deactivating; do sleep 0.1; done",
    );
    assert.equal(await shell("systemctl list-units --no-legend --plain 'gantry-early*'"), "");
  });
});
