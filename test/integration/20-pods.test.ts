/** Pods in the foreground: what an app sees, how it ends, and what is refused before or at its start. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "../../src/manager/manager.ts";
import { leftovers, withPods } from "../fixtures/pod-host.ts";

test("an app's output, status and signal are the command's", async (t) => {
  await withPods(t, { name: "run" }, async (pods) => {
    const { gantry, output } = pods;
    assert.equal(
      await output("run", "busybox", "--", "echo", "$HOME", "$$", "%n"),
      "$HOME $$ %n",
      "nothing expands words",
    );
    const both = await gantry(["run", "busybox", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert.deepEqual(both, { status: 7, stdout: "out\n", stderr: "err\n" });
    assert.equal((await gantry(["run", "busybox", "--", "sh", "-c", "kill -9 $$"])).status, 137);
    assert.equal((await gantry(["run", "busybox", "--", "sh", "-c", "exit 126"])).status, 126);
    const much = await gantry(["run", "busybox", "--", "sh", "-c", "seq 1 20000"]);
    assert.equal(much.stdout.split("\n").length, 20_001);
    assert.equal(
      await output("run", "busybox", "--", "sh", "-c", "echo x >/dev/stdout; readlink /dev/fd"),
      "x\n/proc/self/fd",
    );
    const piped = await gantry(["run", "--interactive", "busybox", "--", "tr", "a-z", "A-Z"], {
      input: "shout\n",
    });
    assert.deepEqual([piped.status, piped.stdout], [0, "SHOUT\n"]);
    await output("gc", "--grace-period=0s");
    assert.equal(await leftovers(pods), "");
  });
});

test("what an app finds: environment, user, directory, capabilities, names, a quiet /proc and /dev", async (t) => {
  await withPods(t, { name: "see" }, async ({ output, shell }) => {
    const run = (options: string[], script: string, app: string[] = []) =>
      output("run", ...options, "busybox", ...app, "--", "sh", "-c", script);
    const environment = await run(["--set-env=A=b=c"], "env | sort", ["--environment=X=y z"]);
    assert.deepEqual(environment.split("\n"), [
      ...["A=b=c", "AC_APP_NAME=busybox", "HOME=/root", expectHostname(environment)],
      ...[
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PWD=/",
        "SHLVL=1",
        "X=y z",
        "container=gantry",
      ],
    ]);
    assert.equal(
      await run([], "id -u; id -g; pwd; cat /proc/self/cgroup | head -1 | grep -c /$", [
        "--user=web",
        "--working-dir=/new/dir",
      ]),
      "1000\n2000\n/new/dir\n1",
    );
    assert.equal(
      await run(["--hostname=front"], "hostname; cat /etc/hostname; grep -c front /etc/hosts"),
      "front\nfront\n1",
    );
    assert.equal(await run([], "grep CapBnd /proc/self/status"), "CapBnd:\t00000000a80425fb");
    assert.equal(
      await run([], "grep CapBnd /proc/self/status", ["--caps-retain=CAP_KILL"]),
      "CapBnd:\t0000000000000020",
    );
    assert.equal(
      await run([], "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | tr -d '\\t\\n'"),
      "NoNewPrivs:0Seccomp:2",
    );
    assert.equal(await run([], "grep -E 'NoNewPrivs' /proc/self/status", ["--user=web"]), "NoNewPrivs:\t1");
    const map = await run([], "cat /proc/self/uid_map");
    assert.match(map, /^0\s+\d{10}\s+65536$/);
    assert.match(await run(["--userns=host"], "cat /proc/self/uid_map"), /^0\s+0\s+4294967295$/);
    assert.equal(await run([], "ip -o link | wc -l; ls /sys/class/net"), "1\nlo");
    assert.equal(
      await run(["--net=host"], "readlink /proc/self/ns/net"),
      await shell("readlink /proc/1/ns/net"),
    );
    assert.match(await run([], "touch /x 2>&1 || true", ["--readonly-rootfs"]), /Read-only file system/);
    assert.equal(
      await run([], "cat /proc/kcore | wc -c; echo x 2>/dev/null >/proc/sys/kernel/hostname || echo no"),
      "0\nno",
    );
    const processes = "cat /proc/1/comm; [ $(ls /proc | grep -c '^[0-9]') -le 5 ] && echo only its own";
    assert.equal(await run([], processes), "gantry-sandbox\nonly its own");
  });
});

function expectHostname(environment: string): string {
  return (
    environment.split("\n").find((line) => /^HOSTNAME=gantry-[0-9a-f]{12}$/.test(line)) ??
    "HOSTNAME of the pod"
  );
}

test("what is refused leaves nothing: before the start by the manager, at the start by stage1", async (t) => {
  await withPods(t, { name: "refuse" }, async (pods) => {
    const { refused, host, output } = pods;
    await refused(["run", "nope"], { status: 4, texts: ['"nope"'] });
    await refused(["run", "busybox", "busybox"], {
      status: 125,
      texts: ['duplicate apps of name "busybox"', "hint: "],
    });
    await refused(["run", "--net=bridge", "busybox"], {
      status: 125,
      texts: ['network "bridge"', "--net=none"],
    });
    await refused(["run", "busybox", "--memory=1k"], {
      status: 125,
      texts: ['app "busybox"', "memory limit of 1000 bytes"],
    });
    await refused(["run", "--volume=d,kind=host,source=/nope", "--mount=volume=d,target=/d", "busybox"], {
      status: 125,
      texts: ['volume "d"', '"/nope" does not exist'],
    });
    await refused(["run", "--mount=volume=d,target=/d", "busybox"], {
      status: 125,
      texts: ['volume "d" not found'],
    });
    await refused(["run", "--volume=d,kind=host,source=/etc", "busybox", "--", "ls", "/d"], {
      status: 125,
      texts: ['volume "d" is not mounted anywhere', "hint: add --mount volume=d,target=/path\n"],
    });
    await refused(["run", "--volume=d,kind=host,source=rel", "busybox"], {
      status: 2,
      texts: ["volumes[0].source: not an absolute path"],
    });
    await refused(["run", "--name=a\nb", "busybox"], { status: 2, texts: ['"a\\x0ab" is not a name'] });
    for (const image of ["oci-archive:/srv/busybox.tar", "busybox"]) {
      const { status, stderr } = await host.exec(["gantry", "run", image]);
      assert.equal(status, 5, stderr);
      assert.match(
        stderr,
        /^gantry: image "\S*busybox\S*" is .*(not trusted|without a signature).*\nhint: .*--insecure-options=image/,
      );
    }
    const manifest = {
      acKind: "PodManifest",
      acVersion: "0.8.11",
      apps: [{ name: "a", image: { id: "busybox" }, privileged: true }],
    };
    await host.put("/srv/pod.json", JSON.stringify(manifest));
    await refused(["run", "--pod-manifest=/srv/pod.json"], {
      status: 125,
      texts: ['"/srv/pod.json"', 'apps[0]: unknown key "privileged"'],
    });
    assert.equal(await leftovers(pods), "", "refused before anything was made");

    await refused(["run", "busybox", "--", "/nope"], { status: 127, texts: ['app "busybox"', "/nope"] });
    await refused(["run", "busybox", "--", "/etc/passwd"], { status: 126, texts: ["/etc/passwd"] });
    await refused(["run", "busybox", "--user=nobody-here"], { status: 125, texts: ['"nobody-here"'] });
    await refused(["run", "busybox", "--group=no-group"], { status: 125, texts: ["no-group"] });
    const known: PodStatus[] = JSON.parse(await output("list", "--format=json"));
    assert.deepEqual(
      known.map((pod) => pod.state),
      Array(4).fill("exited"),
    );
    const times = known.map((pod) => pod.created ?? 0);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => b - a),
      "the newest first",
    );
    await output("gc", "--grace-period=0s");
    assert.equal(await leftovers(pods), "");
  });
});
