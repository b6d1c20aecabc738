/** An app that says itself when it is ready, and can say nothing else. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../../fixtures/until.ts";
import { bootHost, type TestHost } from "../../host/host.ts";
import { type Change, makeLayer, type Pod, startPod } from "./pod.ts";

const readyByApp: Change = (plan) => {
  plan.gantry.ready = "app";
};

for (const userns of ["pod", "host"] as const) {
  describe(`readiness by the app, user namespace ${userns}`, () => {
    let host: TestHost;
    let pod: Pod;
    before(async () => {
      host = await bootHost({ name: `notify-${userns}` });
      await makeLayer(host);
      pod = await startPod(host, { userns });
    });
    after(async () => {
      await host[Symbol.asyncDispose]();
    });

    test("the start job ends when the app says so", async () => {
      const job = await pod.start(
        "ready",
        ["sh", "-c", "sleep 0.5; exec notify-client 'READY=1\\nSTATUS=serving' -- sleep 60"],
        readyByApp,
      );
      assert.equal(job.status, 0, job.stderr);
      const now = await pod.facts("ready");
      assert.equal(now["ActiveState"], "active");
      assert.equal(now["StatusText"], "serving");
    });

    test("it may say so before systemd knows it", async () => {
      const quick = ["notify-client", "READY=1\\nSTATUS=quick", "--", "sleep", "60"];
      // The launcher is held before each of its messages, the app is not.
      const job = await launchedWith(host, "sendmsg:delay_enter=300000", () =>
        pod.start("quick", quick, readyByApp, ["TimeoutStartSec=60"]),
      );
      assert.equal(job.status, 0, job.stderr);
      assert.equal((await pod.facts("quick"))["StatusText"], "quick");
    });

    test("it is not left alone when the sandbox does not take its socket", async () => {
      const end = await launchedWith(host, "recvmsg:error=ECONNRESET", () =>
        pod.finish("unheard", ["sleep", "600"], readyByApp, ["TimeoutStartSec=600"]),
      );
      assert.deepEqual([end["Job"], end["Result"], end["ExecMainStatus"]], ["1", "exit-code", "209"]);
      assert.match(
        end["StatusText"] ?? "",
        /^hand-over: \/run\/gantry\/pods\/[0-9a-f]{32}\/io: Connection reset/,
      );
    });

    test("an app that never says so is not started", async () => {
      const end = await pod.finish("never", ["sleep", "60"], readyByApp, ["TimeoutStartSec=1"]);
      assert.equal(end["Job"], "1");
      assert.equal(end["Result"], "timeout");
    });

    test("a user's child may say so, and a barrier is answered", async () => {
      const end = await pod.finish(
        "child",
        ["sh", "-c", "notify-client READY=1 barrier && echo passed; sleep 0.3"],
        (plan) => {
          readyByApp(plan);
          plan.process.user = { uid: 33, gid: 34, umask: 0o22, additionalGids: [] };
          plan.process.capabilities = {
            bounding: [],
            effective: [],
            permitted: [],
            inheritable: [],
            ambient: [],
          };
        },
      );
      assert.equal(end["Job"], "0");
      assert.equal((await pod.log("child")).trim(), "passed");
    });

    test("it cannot make another process its main process", async () => {
      const victim = await host.exec([
        "sh",
        "-c",
        "systemd-run -q --unit=victim sleep 1000; systemctl show -P MainPID victim",
      ]);
      const pid = victim.stdout.trim();
      const script = `notify-client 'MAINPID=${pid}\\nREADY=1' 'MAINPID=${pid}' 'FDSTORE=1' 'NOTIFYACCESS=all' 'STATUS=asked'; exec sleep 60`;
      const job = await pod.start("greedy", ["sh", "-c", script], readyByApp);
      assert.equal(job.status, 0, job.stderr);
      // Its last word: all the others have been read before it.
      const now = await until(
        () => pod.facts("greedy"),
        (facts) => facts["StatusText"] === "asked",
      );
      assert.notEqual(now["MainPID"], pid);
      await host.exec(["systemctl", "stop", pod.unit.replace(".service", ".greedy.service")]);
      assert.equal((await host.exec(["kill", "-0", pid])).status, 0);
    });

    test("it is told how often systemd wants to hear of it, and is ended when it falls silent", async () => {
      const script =
        "echo $WATCHDOG_USEC:$WATCHDOG_PID; notify-client READY=1; while :; do notify-client WATCHDOG=1; sleep 0.1; done";
      const quiet = "sleep 1; echo silent; notify-client READY=1; exec sleep 1000";
      const beats = async (app: string) => {
        const unit = pod.unit.replace(".service", `.${app}.service`);
        return (await host.exec(["systemctl", "show", "-P", "WatchdogTimestampMonotonic", unit])).stdout;
      };
      const job = await pod.start("beating", ["sh", "-c", script], readyByApp, ["WatchdogSec=60"]);
      assert.equal(job.status, 0, job.stderr);
      const first = await beats("beating");
      await until(
        () => beats("beating"),
        (now) => now !== first,
      );
      assert.match(await pod.log("beating"), /^60000000:$/m);
      const end = await pod.finish("silent", ["sh", "-c", quiet], readyByApp, ["WatchdogSec=1"]);
      assert.equal(end["Result"], "watchdog");
      assert.match(await pod.log("silent"), /^silent$/m);
    });

    test("it cannot put off its own stop", async () => {
      const script =
        "trap '' TERM; notify-client READY=1; while :; do notify-client EXTEND_TIMEOUT_USEC=600000000; done";
      const job = await pod.start("staying", ["sh", "-c", script], readyByApp, ["TimeoutStopSec=2"]);
      assert.equal(job.status, 0, job.stderr);
      await host.exec(["systemctl", "stop", pod.unit.replace(".service", ".staying.service")]);
      assert.equal((await pod.facts("staying"))["Result"], "timeout");
    });

    test("a program that cannot run still fails the start job with its sentence", async () => {
      const end = await pod.finish("missing", ["/bin/missing"], readyByApp);
      assert.equal(end["Job"], "1");
      assert.equal(end["ExecMainStatus"], "203");
      assert.match(end["StatusText"] ?? "", /\/bin\/missing: not found/);
    });
  });
}

/** Has the launcher meet what strace injects into one of its system calls. */
async function launchedWith<T>(host: TestHost, inject: string, start: () => Promise<T>): Promise<T> {
  const path = "/usr/lib/gantry/gantry-stage1";
  const strace = `strace -D -o /dev/null -e trace=${inject.split(":")[0]} -e inject=${inject}`;
  await host.exec(["mv", path, `${path}.real`]);
  await host.put(path, `#!/bin/sh\nexec ${strace} ${path}.real "$@"\n`, 0o755);
  try {
    return await start();
  } finally {
    await host.exec(["mv", `${path}.real`, path]);
  }
}
