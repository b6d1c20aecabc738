/** What a hostile app tries, from inside, while the host goes on starting apps beside it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../../fixtures/until.ts";
import { bootHost, type TestHost } from "../../host/host.ts";
import { CAPABILITIES, makeLayer, type Pod, startPod } from "./pod.ts";

/** Calls whose refusal is the filter's own, told from the kernel's by their error. */
const REFUSALS: Readonly<Record<string, string>> = {
  // The whole architecture is not there for an app.
  "x32-unshare": "ENOSYS",
  "x32-keyctl": "ENOSYS",
  "clone3-user": "ENOSYS",
  io_uring_setup: "ENOSYS",
  personality: "ENOSYS",
  "socket-alg": "EAFNOSUPPORT",
  "socket-vsock": "EAFNOSUPPORT",
  "socket-kcm": "EAFNOSUPPORT",
  "i386-socket-alg": "EAFNOSUPPORT",
  "i386-socketcall-alg": "EAFNOSUPPORT",
  "i386-socketcall-vsock": "EAFNOSUPPORT",
  "clone-user": "ENOSYS",
  "i386-clone": "ENOSYS",
};

for (const userns of ["pod", "host"] as const) {
  describe(`attacks, user namespace ${userns}`, () => {
    let host: TestHost;
    let pod: Pod;
    before(async () => {
      host = await bootHost({ name: `attack-${userns}` });
      await makeLayer(host);
      pod = await startPod(host, { userns });
    });
    after(async () => {
      await host[Symbol.asyncDispose]();
    });

    for (const uid of [0, 33]) {
      test(`system calls that lead out are refused by every entry to the kernel, uid ${uid}`, async () => {
        const text = await pod.shell("attack calls", (plan) => {
          plan.process.user.uid = uid;
        });
        for (const line of text.split("\n")) {
          const [name = "", result = ""] = line.split(" ");
          if (name === "i386-socket-unix") assert.equal(result, "done", "32-bit programs have sockets");
          else assert.equal(result, REFUSALS[name] ?? "EPERM", line);
        }
        assert.ok(text.split("\n").length > 35, text);
      });
    }

    test("no way leads through the processes of a start to the host", async () => {
      await pod.start("hunter", ["attack", "hunt"], (plan) => {
        // Even this capability is one over the pod only; without a user namespace it is the host's (SECURITY.md).
        const own = [...CAPABILITIES, ...(userns === "pod" ? ["CAP_SYS_PTRACE"] : [])];
        Object.assign(plan.process.capabilities, { bounding: own, effective: own, permitted: own });
      });
      for (let round = 0; round < 12; round++) await pod.start(`prey${round}`, ["true"]);
      assert.equal((await pod.finish("last", ["sleep", "5"]))["ExecMainStatus"], "0");
      await host.exec(["systemctl", "kill", pod.unit.replace(".service", ".hunter.service")]);
      await pod.ended("hunter");
      const found = (await pod.log("hunter")).trim();
      assert.equal(found, "hunting\nlooked at some");
    });

    test("no signal of a process in the pod passes for systemd's", async () => {
      assert.equal(await pod.shell("attack end; sleep 0.5; echo alive"), "alive");
      // Without a user namespace a full queue is told by a limit that is lifted, for which the host needs CAP_SYS_RESOURCE.
      const limits = `cat /proc/$(systemctl show -P MainPID ${pod.unit})/limits`;
      const lifted = /^Max pending signals +unlimited/m.test((await host.exec(["sh", "-c", limits])).stdout);
      if (userns === "host" && !lifted) return;
      assert.equal(await pod.shell("attack end full; sleep 0.5; echo alive"), "alive");
      assert.equal((await host.exec(["systemctl", "is-active", pod.unit])).stdout, "active\n");
    });

    test("an image whose /proc, /sys or /dev is a symbolic link is refused", async () => {
      for (const path of ["/proc", "/sys", "/dev"]) {
        const layer = `/var/lib/gantry/layers/sha256-link${path.slice(1)}`;
        const made = await host.exec([
          "sh",
          "-c",
          `cp -a /var/lib/gantry/layers/sha256-test ${layer} && rmdir ${layer}${path} && ln -s /tmp ${layer}${path}`,
        ]);
        assert.equal(made.status, 0, made.stderr);
        const end = await pod.finish(`link${path.slice(1)}`, ["true"], (plan) => {
          plan.gantry.layers = [layer];
        });
        assert.equal(end["ExecMainStatus"], "226");
        assert.match(end["StatusText"] ?? "", new RegExp(`mounts: ${path}: .*symbolic link`));
      }
    });

    test("what an app did to its own /etc decides nothing outside of its root", async () => {
      const end = await pod.finish("etc", ["sh", "-c", "rm -rf /etc; ln -s /proc/self/root/../../etc /etc"]);
      assert.equal(end["ExecMainStatus"], "0");
      const unit = pod.unit.replace(".service", ".etc.service");
      assert.equal((await host.exec(["systemctl", "stop", unit])).status, 0);
      const again = await pod.finish("etc", ["id", "-u"], (plan) => {
        plan.gantry.user = { rules: "oci", user: "systemd-network", group: "" };
      });
      // A user that only the host's passwd has.
      assert.equal(again["ExecMainStatus"], "217");
      assert.match(again["StatusText"] ?? "", /systemd-network.*not in the image's/);
    });

    test("marks of the overlay cannot be forged from inside", async () => {
      const end = await pod.finish("forge", [
        "sh",
        "-c",
        "mkdir /merged; mknod /merged/whiteout c 0 0; mknod /bin/true c 0 0; echo made",
      ]);
      assert.equal(end["ExecMainStatus"], "0");
      const upper = `${pod.directory}/apps/forge/upper`;
      const marks = await host.exec(["find", upper, "-type", "c"]);
      assert.equal(marks.stdout, "");
    });

    test("sysfs, the control groups and the kernel's settings are read-only", async () => {
      const text = await pod.shell(
        "for f in /proc/sys/kernel/hostname /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/power/state /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory.max; do [ ! -e $f ] || (echo x >$f) 2>/dev/null && [ -e $f ] && echo wrote $f; done; mkdir /sys/fs/cgroup/x 2>/dev/null && echo made; true",
      );
      assert.equal(text, "");
    });

    test("a flood of output, processes and signals to pid 1 does not keep a pod from stopping", async () => {
      const flooded = await startPod(host, { userns, index: 2 });
      const pipe = (plan: { gantry: { log: string } }) => {
        plan.gantry.log = "pipe";
      };
      await flooded.start(
        "flood",
        ["sh", "-c", "trap '' TERM; while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyy; done"],
        pipe,
      );
      await flooded.start("forks", ["sh", "-c", "trap '' TERM; while :; do sleep 100 & done"], pipe, [
        "TasksMax=50",
      ]);
      const signal = "while kill -TERM 1 && kill -CHLD 1; do :; done";
      await flooded.start("signals", ["sh", "-c", `trap '' TERM; ${signal} & ${signal} & ${signal}`]);
      await flooded.start("said", ["sh", "-c", "echo heard; exec sleep 600"], pipe);
      // journald answers --sync once it is idle (journald-server.c), which a flood may never let it be.
      await until(
        () => flooded.logged("said"),
        (text) => text.includes("heard"),
      );
      const begin = performance.now();
      await flooded.stop();
      const taken = performance.now() - begin;
      // Both ignore SIGTERM: TimeoutStopSec= of 5 s, and not for ever.
      assert.ok(taken < 90_000, `${taken} ms`);
      assert.equal((await host.exec(["systemctl", "is-active", flooded.unit])).stdout.trim(), "inactive");
    });
  });
}
