/** What an app cannot reach. Every test is a trap that was sprung once. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { bootHost, type TestHost } from "../../host/host.ts";
import { BASE, CAPABILITIES, makeLayer, type Pod, startPod } from "./pod.ts";

for (const userns of ["pod", "host"] as const) {
  describe(`isolation, user namespace ${userns}`, () => {
    let host: TestHost;
    let pod: Pod;
    before(async () => {
      host = await bootHost({ name: `isolation-${userns}` });
      await makeLayer(host);
      pod = await startPod(host, { userns });
    });
    after(async () => {
      await host[Symbol.asyncDispose]();
    });

    test("the pod's init shows nothing of the host", async () => {
      const text = await pod.shell(
        "ls /proc/1/root/ 2>&1; readlink /proc/1/exe 2>&1; ls -l /proc/1/cwd/ 2>&1; true",
      );
      assert.doesNotMatch(text, /etc|usr|gantry-sandbox$/m);
      assert.match(text, /Permission denied/);
    });

    test("it has the descriptors 0, 1 and 2 and no others", async () => {
      // The shell's own listing adds the one it lists with.
      assert.equal(await pod.shell("cd /proc/self/fd; echo *"), "0 1 2 3");
    });

    test("its ids are the pod's", async () => {
      await pod.start("ids", ["sleep", "60"]);
      const pid = (await pod.facts("ids"))["MainPID"];
      const status = (await host.exec(["grep", "^Uid:", `/proc/${pid}/status`])).stdout.trim();
      const id = userns === "pod" ? BASE : 0;
      assert.equal(status, `Uid:\t${id}\t${id}\t${id}\t${id}`);
    });

    test("files it makes belong to the pod's range on disk", async () => {
      await pod.shell("touch /made; chown 33:34 /made");
      const shown = await host.exec(["sh", "-c", `stat -c '%u:%g' ${pod.directory}/apps/shell*/upper/made`]);
      assert.equal(shown.stdout.trim(), userns === "pod" ? `${BASE + 33}:${BASE + 34}` : "33:34");
    });

    test("changing the mode of a device changes nothing on the host", async () => {
      await pod.shell(
        "chmod 600 /dev/null; chmod 600 /proc/self/fd/0; for i in 1 2; do chmod 600 /proc/keys; done; true",
      );
      assert.equal((await host.exec(["stat", "-c", "%a", "/dev/null"])).stdout.trim(), "666");
    });

    test("it cannot make or use a device node", async () => {
      const text = await pod.shell(
        "mknod /dev/disk b 254 0 2>&1; mknod /tmp/null c 1 3 2>&1; cat /tmp/null 2>&1; true",
      );
      assert.match(text, /mknod: \/dev\/disk: Operation not permitted/);
      // Without a user namespace it may make what DevicePolicy=closed knows, and the root's nodev refuses to open it.
      assert.match(
        text,
        userns === "pod" ? /mknod: \/tmp\/null: Operation not permitted/ : /'\/tmp\/null': Permission denied/,
      );
    });

    test("capabilities are the plan's", async () => {
      const text = await pod.shell("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status");
      assert.equal(
        text.replaceAll("\t", " "),
        [
          "CapInh: 0000000000000000",
          ...["CapPrm", "CapEff", "CapBnd"].map((name) => `${name}: 00000000a80425fb`),
          "CapAmb: 0000000000000000",
          "NoNewPrivs: 1",
          "Seccomp: 2",
        ].join("\n"),
      );
    });

    test("no-new-privileges off stays off beside a filter, and CAP_SYS_ADMIN does not stay", async () => {
      const text = await pod.shell("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status", (plan) => {
        plan.process.noNewPrivileges = false;
        plan.process.user.uid = 33;
        plan.process.capabilities = {
          bounding: CAPABILITIES,
          effective: [],
          permitted: [],
          inheritable: [],
          ambient: [],
        };
      });
      assert.match(text, /^NoNewPrivs:\t0$/m);
      assert.match(text, /^Seccomp:\t2$/m);
      assert.match(text, /^CapPrm:\t0000000000000000$/m);
      assert.match(text, /^CapEff:\t0000000000000000$/m);
      assert.match(text, /^CapBnd:\t00000000a80425fb$/m);
    });

    test("ambient capabilities reach an app that is not root", async () => {
      const text = await pod.shell("grep -E '^Cap' /proc/self/status", (plan) => {
        const own = ["CAP_NET_BIND_SERVICE"];
        plan.process.user = { uid: 33, gid: 34, umask: 0o22, additionalGids: [] };
        plan.process.capabilities = {
          bounding: own,
          effective: own,
          permitted: own,
          inheritable: own,
          ambient: own,
        };
      });
      for (const set of ["Inh", "Prm", "Eff", "Bnd", "Amb"])
        assert.match(text, new RegExp(`^Cap${set}:\t0000000000000400$`, "m"));
    });

    test("the default filter refuses what needs a capability it lacks", async () => {
      const text = await pod.shell("mount -t tmpfs tmpfs /tmp 2>&1; umount /proc 2>&1; true");
      assert.match(text, /mount: .*(Operation not permitted|permission denied)/);
      assert.doesNotMatch(await pod.shell("cat /proc/self/mountinfo"), / \/tmp /);
    });

    test("a filter of the plan's own is applied, also without no-new-privileges", async () => {
      for (const noNewPrivileges of [true, false]) {
        const text = await pod.shell("mkdir /tmp/x 2>&1; echo done", (plan) => {
          plan.process.noNewPrivileges = noNewPrivileges;
          plan.gantry.seccomp = "custom";
          plan.linux.seccomp = {
            defaultAction: "SCMP_ACT_ALLOW",
            syscalls: [
              { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 },
              // What a launcher would need if it did anything between filter and execve.
              { names: ["capset", "setgroups", "setresuid", "setresgid"], action: "SCMP_ACT_KILL_PROCESS" },
            ],
          };
        });
        assert.match(text, /not supported/);
        assert.match(text, /done/);
      }
    });

    test("an action nobody knows is a failure of the filter", async () => {
      const end = await pod.finish("badfilter", ["true"], (plan) => {
        plan.gantry.seccomp = "custom";
        plan.linux.seccomp = { defaultAction: "SCMP_ACT_NOTIFY" };
      });
      assert.equal(end["ExecMainStatus"], "228");
      assert.match(end["StatusText"] ?? "", /defaultAction: unknown action SCMP_ACT_NOTIFY/);
    });

    test("a filter of more instructions than the kernel takes is a failure of the filter", async () => {
      for (const names of [["read"], ["read", "write", "lseek", "dup", "dup2", "kill"]]) {
        const end = await pod.finish(`longfilter${names.length}`, ["true"], (plan) => {
          plan.gantry.seccomp = "custom";
          plan.linux.seccomp = {
            defaultAction: "SCMP_ACT_ALLOW",
            syscalls: Array.from({ length: 1024 }, (_, index) => ({
              names: [...names],
              action: "SCMP_ACT_ERRNO",
              // Neither half is like another's, so that nothing is compared once for two.
              args: [{ index: 1, op: "SCMP_CMP_EQ", value: (index + 1) * 2 ** 32 + index }],
            })),
          };
        });
        assert.equal(end["ExecMainStatus"], "228");
        assert.match(
          end["StatusText"] ?? "",
          /^system call filter: linux\.seccomp: more than 4096 instructions/,
        );
      }
    });

    test("masked paths are empty, read-only ones cannot be written", async () => {
      const text = await pod
        .shell(
          "cat /proc/keys /proc/timer_list; ls -A /sys/firmware; echo x >/proc/keys; echo 1 2>&1 >/proc/sys/kernel/pid_max; echo end",
          (plan) => {
            plan.linux.maskedPaths.push("/etc/passwd", "/home", "/no/such");
          },
        )
        .catch(String);
      assert.match(text, /Read-only file system/);
      const seen = await pod.shell("cat /proc/keys; ls -A /home; cat /etc/passwd; echo end", (plan) => {
        plan.linux.maskedPaths.push("/etc/passwd", "/home", "/no/such");
      });
      assert.equal(seen, "end");
    });

    test("systemd's notify socket is nowhere", async () => {
      assert.equal(
        await pod.shell("env | grep -c NOTIFY; ls /run 2>/dev/null; ls /run/systemd 2>/dev/null; true"),
        "0",
      );
    });

    test("its mounts and the host's do not propagate to each other", async () => {
      await pod.start("propagation", ["sleep", "60"]);
      const pid = (await pod.facts("propagation"))["MainPID"];
      const before = (await host.exec(["cat", `/proc/${pid}/mountinfo`])).stdout;
      assert.doesNotMatch(before, /shared:|master:/);
      assert.doesNotMatch(before, /\/var\/lib\/gantry|\/run\/gantry/);
      await host.exec(["mount", "-t", "tmpfs", "later", "/mnt"]);
      assert.equal((await host.exec(["cat", `/proc/${pid}/mountinfo`])).stdout, before);
      await host.exec(["umount", "/mnt"]);
      assert.doesNotMatch(
        (await host.exec(["cat", "/proc/self/mountinfo"])).stdout,
        /gantry\/stage1|overlay .*userxattr/,
      );
    });

    test("its keyring is its own, and not the one that systemd gave its unit", async () => {
      const mine = await pod.shell("attack keyring", (plan) => {
        plan.gantry.seccomp = "none";
      });
      const program = "/var/lib/gantry/layers/sha256-test/bin/attack";
      const unit = await host.exec(["systemd-run", "--quiet", "--pipe", "--wait", program, "keyring"]);
      assert.deepEqual([mine, unit.stdout], ["ENOKEY", "found\n"]);
    });

    test("the launcher's program cannot be replaced through /proc", async () => {
      const held = await startPod(host, { userns, index: 1, hold: true });
      const job = held.start("held", ["true"], (plan) => {
        plan.gantry.log = "pipe";
      });
      // The app's process waits for the sandbox's answer: it runs our program, and the pod's processes see it.
      const find = `while :; do
        for status in $(grep -ls '^NSpid:.*[[:space:]]2$' /proc/[0-9]*/status); do
          process=\${status%/status}
          grep -qs 'gantry-[s]tage1' $process/cmdline && exec 9<$process/exe && break 2
        done
      done`;
      // While it runs it is busy; a handle kept until it has executed the app is what could write.
      const late = `${find}; while [ -e $process ]; do sleep 0.1; done; : >>/proc/self/fd/9`;
      const written = await host.exec(["sh", "-c", late]);
      const owner = (await host.exec(["stat", "-c", "%u %a", "/usr/lib/gantry/gantry-stage1"])).stdout.trim();
      // With a user namespace it is the file's owner, an id that the pod does not have, that protects it.
      if (userns === "host") assert.match(written.stderr, /Read-only file system/);
      assert.equal(owner, "0 755");
      assert.equal((await job).status, 0);
      const again = await pod.finish("selfexe", ["/proc/self/exe"]);
      assert.equal(again["ExecMainStatus"], "78"); // it says how it is used
    });

    test("a setuid program works where no-new-privileges is off, and only there", async () => {
      for (const [noNewPrivileges, expected] of [
        [false, "33 0"],
        [true, "33 33"],
      ] as const) {
        const app = `suid${noNewPrivileges}`;
        const end = await pod.finish(app, ["/bin/identity"], (plan) => {
          plan.process.noNewPrivileges = noNewPrivileges;
          plan.process.user = { uid: 33, gid: 34, umask: 0o22, additionalGids: [] };
          plan.process.capabilities = {
            bounding: CAPABILITIES,
            effective: [],
            permitted: [],
            inheritable: [],
            ambient: [],
          };
        });
        assert.equal(end["ExecMainStatus"], "0");
        assert.equal((await pod.log(app)).trim(), expected);
      }
    });

    test("limits, oom score and umask are the plan's", async () => {
      const text = await pod.shell("ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; umask", (plan) => {
        plan.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }];
        plan.process.oomScoreAdj = 500;
        plan.process.user.umask = 0o77;
      });
      assert.equal(text, "100\n200\n500\n0077");
    });

    test("a limit that cannot be set names itself", async () => {
      const end = await pod.finish("limit", ["true"], (plan) => {
        plan.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 1, hard: 4_000_000_000_000 }];
      });
      assert.equal(end["ExecMainStatus"], "205");
      assert.match(end["StatusText"] ?? "", /process\.rlimits\[0\].*4000000000000: Operation not permitted/);
    });

    test("SIGPIPE and the signal mask are the kernel's defaults", async () => {
      // Not through the shell, which sets its own.
      await pod.finish("signals", ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]);
      assert.equal(
        (await pod.log("signals")).trim().replaceAll("\t", " "),
        "SigBlk: 0000000000000000\nSigIgn: 0000000000000000",
      );
    });
  });
}
