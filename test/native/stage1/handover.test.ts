/** The app becomes systemd's own main process, and what it does from its first to its last instruction is systemd's. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../../fixtures/until.ts";
import { bootHost, type TestHost } from "../../host/host.ts";
import { makeLayer, type Pod, startPod } from "./pod.ts";

for (const cgroups of [undefined, "unified"] as const) {
  describe(`hand-over, cgroups ${cgroups ?? "as the machine"}`, () => {
    let host: TestHost;
    let pod: Pod;
    before(async () => {
      host = await bootHost({ name: `handover-${cgroups ?? "machine"}`, ...(cgroups ? { cgroups } : {}) });
      await makeLayer(host);
      pod = await startPod(host);
    });
    after(async () => {
      await host[Symbol.asyncDispose]();
    });

    test("the main process is the app, a child of PID 1, that nobody traces", async () => {
      const job = await pod.start("main", ["sleep", "60"]);
      assert.equal(job.status, 0, job.stderr);
      const pid = (await pod.facts("main"))["MainPID"] ?? "";
      // The job has ended when systemd has heard, and what traces until it has ends after it.
      const status = await until(
        async () => (await host.exec(["cat", `/proc/${pid}/status`])).stdout,
        (text) => /^TracerPid:\t0$/m.test(text),
      );
      assert.match(status, /^Name:\tsleep$/m);
      assert.match(status, /^PPid:\t1$/m);
      assert.match(status, /^NSpid:\t\d+\t[2-9]\d*$/m);
      const members = `grep -l ${pod.unit.replace(".service", ".main.service")} /proc/[0-9]*/cgroup`;
      await until(
        async () => (await host.exec(["sh", "-c", members])).stdout.trim(),
        (found) => found === `/proc/${pid}/cgroup`,
      );
      const started = JSON.parse((await host.get(`${pod.directory}/apps/main/status/started`)).toString());
      assert.equal(started.pid, Number(pid));
      assert.match(started.boot, /^[0-9a-f]{32}$/);
    });

    test("what `started` names has the app's root, and no other, from when it is written", async () => {
      const started = `${pod.directory}/apps/rooted/status/started`;
      const look = `until [ -e ${started} ]; do :; done; read -r line <${started}; pid=\${line##*:}; cd /proc/\${pid%?}/root/; [ -e usr ] || echo bin/*`;
      const [seen, job] = await Promise.all([
        host.exec(["sh", "-c", look]),
        pod.start("rooted", ["sleep", "60"], (plan) => {
          // Makes the way to its root a long one.
          plan.linux.maskedPaths = Array.from({ length: 1000 }, () => "/proc/kcore");
        }),
      ]);
      assert.equal(job.status, 0, job.stderr);
      assert.match(seen.stdout, /\bbin\/notify-client\b/, seen.stderr);
    });

    test("thirty apps that end at once are all recorded with their status", async () => {
      const ends = [];
      for (let round = 0; round < 30; round++)
        ends.push(await pod.finish(`fast${round}`, ["sh", "-c", "exit 7"]));
      assert.deepEqual(
        ends.map((end) => `${end["Result"]} ${end["ExecMainStatus"]} ${end["Job"]}`),
        ends.map(() => "exit-code 7 0"),
      );
    });

    for (const [signal, number] of [
      ["SEGV", 11],
      ["KILL", 9],
    ] as const)
      test(`a signal is recorded as one: ${signal}`, async () => {
        const end = await pod.finish(signal.toLowerCase(), ["sh", "-c", `kill -${signal} $$`]);
        const result = `${end["Result"]} ${end["ExecMainStatus"]} ${end["Job"]}`;
        assert.equal(result.replace("core-dump", "signal"), `signal ${number} 0`);
      });

    test("a program that the kernel gives up in the middle of its execve ends by SIGSEGV", async () => {
      const end = await pod.finish("torn", ["/bin/torn"]);
      assert.equal(`${end["Result"]} ${end["ExecMainStatus"]}`.replace("core-dump", "signal"), "signal 11");
    });

    test("an app's process that is killed at its first word fails the start at once", async () => {
      // Only that process writes; the launcher's own messages are sent.
      const killed = ["SystemCallFilter=~write", "TimeoutStartSec=20"];
      const end = await pod.finish("mute", ["true"], undefined, killed);
      assert.equal(`${end["Job"]} ${end["Result"]} ${end["ExecMainStatus"]}`, "1 exit-code 226");
      // Killed before it was traced, it leaves its status to systemd alone.
      assert.match(end["StatusText"] ?? "", /^hand-over: the app's process (was killed by signal 31|ended)$/);
    });

    test("stopping asks with TERM first", async () => {
      const script = "trap 'echo got TERM; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
      assert.equal((await pod.start("term", ["sh", "-c", script])).status, 0);
      await until(
        () => pod.log("term"),
        (text) => text.includes("ready"),
      );
      await host.exec(["systemctl", "stop", pod.unit.replace(".service", ".term.service")]);
      assert.match(await pod.log("term"), /got TERM/);
    });

    test("Restart= restarts the app, not the launcher", async () => {
      const properties = [
        "Restart=on-failure",
        "RestartSec=10ms",
        "StartLimitBurst=3",
        "StartLimitIntervalSec=60",
      ];
      await pod.start("again", ["sh", "-c", "sleep 0.05; exit 9"], undefined, properties);
      const end = await until(
        () => pod.facts("again"),
        (facts) => facts["ActiveState"] === "failed",
      );
      assert.equal(end["NRestarts"], "3");
      assert.equal(end["ExecMainStatus"], "9");
    });

    for (const [name, args, sentence] of [
      ["missing", ["/bin/missing"], "/bin/missing: not found in the app's root"],
      ["nopath", ["missing"], "missing: not found in PATH /bin"],
      ["directory", ["/bin"], "/bin: is a directory"],
      ["noexec", ["/bin/text"], "/bin/text: is not executable"],
      ["noexecpath", ["text"], "/bin/text: is not executable"],
      ["interpreter", ["/bin/script"], "/bin/script: its interpreter /no/such/interpreter is missing"],
      ["format", ["garbage"], "/bin/garbage: not a program for this machine"],
      ["control", ["/bin/a\u001b[31m\nb"], "/bin/a\\x1b[31m\\x0ab: not found"],
    ] as const) {
      test(`a program that cannot run fails the start job: ${name}`, async () => {
        const end = await pod.finish(name, [...args]);
        assert.equal(end["Job"], "1");
        assert.equal(end["ExecMainStatus"], "203");
        assert.equal(end["Result"], "exit-code");
        assert.ok(end["StatusText"]?.includes(`exec: ${sentence}`), end["StatusText"]);
        assert.notEqual(end["StatusErrno"], "0");
        assert.ok((await pod.log(name)).includes(sentence));
      });
    }

    test("where tracing is forbidden, systemd is told just before the execve", async () => {
      const forbidden = ["SystemCallFilter=~ptrace", "SystemCallErrorNumber=EPERM"];
      const ends = [];
      for (let round = 0; round < 10; round++) {
        ends.push(await pod.finish(`early${round}`, ["sh", "-c", "exit 7"], undefined, forbidden));
      }
      assert.deepEqual(
        ends.map((end) => end["ExecMainStatus"]),
        ends.map(() => "7"),
      );
      const missing = await pod.finish("earlymissing", ["/bin/missing"], undefined, forbidden);
      assert.equal(missing["ExecMainStatus"], "203");
    });

    test("without its sandbox an app is refused, naming it", async () => {
      const end = await pod.finish("lost", ["true"], (plan) => {
        plan.gantry.sandbox = "gantry-nothing.service";
      });
      assert.equal(end["ExecMainStatus"], "226");
      assert.match(end["StatusText"] ?? "", /^sandbox: gantry-nothing.service: not running beside/);
      assert.equal(end["StatusErrno"], "3");
    });

    test("an app whose start cannot be written down has not run one instruction", async () => {
      const status = `${pod.directory}/apps/unwritable/status`;
      const ro = `mkdir -p ${status} && mount --bind ${status} ${status} && mount -o remount,bind,ro ${status}`;
      assert.equal((await host.exec(["sh", "-c", ro])).status, 0);
      const end = await pod.finish("unwritable", ["sh", "-c", "echo ran"]);
      await host.exec(["umount", status]);
      assert.equal(`${end["Job"]} ${end["ExecMainStatus"]}`, "1 226");
      assert.match(
        end["StatusText"] ?? "",
        /^hand-over: .*\/apps\/unwritable\/status\/started: Read-only file system/,
      );
      assert.doesNotMatch(await pod.log("unwritable"), /ran/);
    });

    test("a plan with an unknown key is refused, naming it", async () => {
      const end = await pod.finish("strict", ["true"], (plan) => {
        Object.assign(plan.process, { apparmorProfile: "x" });
      });
      assert.equal(end["ExecMainStatus"], "78");
      assert.match(end["StatusText"] ?? "", /plan\.json: process\.apparmorProfile: unknown key/);
    });

    test("a range that is not the sandbox's is refused", async () => {
      const end = await pod.finish("range", ["true"], (plan) => {
        plan.gantry.userns = { mode: "pod", base: 0x70000000 + 65536, size: 65536 };
      });
      assert.equal(end["ExecMainStatus"], "226");
      assert.match(end["StatusText"] ?? "", /user namespace is not the plan's/);
    });

    test("arguments and environment reach the app as they are", async () => {
      await pod.finish("literal", ["printf", "%s|", "$HOME", "$$", "%n", "a b", ""]);
      assert.equal((await pod.log("literal")).trim(), "$HOME|$$|%n|a b||");
    });
  });
}
