/** Installed pods: gantry install, and systemctl on gantry@<name>.service. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "../../src/manager/manager.ts";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";

type App = { readonly name: string; readonly args: readonly string[]; readonly [key: string]: unknown };

/** A definition; its first app begins on line 5. */
function definition(apps: readonly App[], more: object = {}): string {
  const all = apps.map((app) => ({ image: { id: "busybox" }, ...app }));
  return JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", ...more, apps: all }, null, 2);
}

const WEB = definition([
  { name: "front", args: ["sleep", "1000"] },
  { name: "back", args: ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"] },
]);

async function install({ host, gantry }: PodHost, text: string): Promise<void> {
  await host.put("/srv/web.json", text);
  const { status, stdout, stderr } = await gantry(["install", "--insecure-options=image", "/srv/web.json"]);
  assert.deepEqual([status, stdout], [0, "gantry@web.service\n"], stderr);
}

async function web({ output }: PodHost): Promise<PodStatus> {
  return JSON.parse(await output("status", "--format=json", "web")) as PodStatus;
}

/** What failed may be read until the next start. */
const ALIVE = "--state=active,activating,deactivating,reloading";

const ENDED = "until systemctl is-active gantry@web | grep -qx 'inactive\\|failed'; do sleep 0.05; done";

const WITHOUT_NODE = "for f in cli agent; do mv /usr/lib/gantry/$f.cjs /usr/lib/gantry/$f.away; done";
const WITH_NODE = "for f in cli agent; do mv /usr/lib/gantry/$f.away /usr/lib/gantry/$f.cjs; done";

test("an installed pod starts, stops and restarts by systemctl, without Node", async (t) => {
  await withPods(t, { name: "installed" }, async (pods) => {
    const { shell } = pods;
    await install(pods, WEB);
    await shell(WITHOUT_NODE);
    const reloads = await shell("journalctl --sync; journalctl -b -o cat _PID=1 | grep -c Reloading. || :");
    await shell("systemctl start gantry@web");
    assert.equal(
      await shell("systemctl is-active gantry@web gantry-web.front gantry-web.back"),
      "active\nactive\nactive",
    );
    assert.match(await shell("ps -o comm= -p $(systemctl show -P MainPID gantry@web)"), /^gantry-sandbox/);
    assert.equal(await shell("ps -o comm= -p $(systemctl show -P MainPID gantry-web.front)"), "sleep");
    await shell("systemctl restart gantry@web && systemctl is-active gantry-web.front");
    const ups = "journalctl -o cat -u gantry-web.back | grep -cx up";
    await shell(`until journalctl --sync; [ $(${ups}) = 2 ]; do sleep 0.1; done; systemctl stop gantry@web`);
    assert.match(
      await shell("journalctl --sync; journalctl -o cat -u gantry-web.back.service"),
      /^bye$/m,
      "the app's own handler ran",
    );
    assert.equal(await shell("systemctl list-units --no-legend 'gantry-web*' | cat"), "");
    await shell(WITH_NODE);
    const { state, apps } = await web(pods);
    assert.deepEqual([state, apps.map(({ signal, status }) => signal ?? status)], ["exited", [15, 0]]);
    assert.equal(
      await shell("journalctl --sync; journalctl -b -o cat _PID=1 | grep -c Reloading. || :"),
      reloads,
      "no daemon-reload",
    );
  });
});

test("the same verbs work on it as on any pod", async (t) => {
  await withPods(t, { name: "verbs" }, async (pods) => {
    const { output, shell, gantry, refused } = pods;
    await install(pods, WEB);
    await shell("systemctl start gantry@web");
    assert.equal((await web(pods)).state, "running");
    assert.equal(await output("exec", "--app=front", "web", "cat", "/proc/1/comm"), "gantry-sandbox");
    const busy = await gantry(["rm", "web"]);
    assert.deepEqual([busy.status, /"web" is running/.test(busy.stderr)], [1, true], busy.stderr);
    const { uuid } = await web(pods);
    await refused(["start", "web"], { status: 1, texts: ['pod "web" is running'] });
    const pid = await shell("systemctl show -P MainPID gantry-web.front");
    assert.equal(await output("restart", "web"), uuid);
    assert.equal(await shell("systemctl is-active gantry@web gantry-web.front"), "active\nactive");
    assert.notEqual(await shell("systemctl show -P MainPID gantry-web.front"), pid);
    await output("stop", "web");
    assert.equal(await shell("systemctl is-active gantry@web || :"), "inactive");
    assert.equal(await output("start", "web"), uuid);
    assert.equal(await shell("systemctl is-active gantry@web gantry-web.back"), "active\nactive");

    const plain = await output("prepare", "--name=plain", "busybox", "--", "sleep", "1000");
    assert.deepEqual((await output("restart", "web", "plain")).split("\n").sort(), [plain, uuid].sort());
    await shell("systemctl is-active gantry@web gantry-plain");
    await output("stop", "web");
    const missing = definition([{ name: "front", args: ["/nowhere/program"] }]);
    await pods.host.put("/etc/gantry/pods/web.json", missing);
    await output("stop", "plain");
    const failed = await gantry(["start", "plain", "web"]);
    assert.deepEqual([failed.status, failed.stdout], [1, `${plain}\n`], failed.stderr);
    assert.match(failed.stderr, /^gantry: pod "web": ended before it was ready \(exit-code, status 1\)/);
    assert.match(failed.stderr, /see journalctl -u gantry@web\.service$/m);
    await output("rm", "--force", "plain");

    await pods.host.put("/etc/gantry/pods/web.json", WEB);
    const fresh = await output("start", "web");
    assert.deepEqual([fresh === uuid, fresh], [false, (await web(pods)).uuid], "prepared anew");
    await output("stop", "web");
    await shell("touch /etc/gantry/pods/web.json");
    await output("refresh", "web");
    await refused(["run-prepared", "web"], {
      status: 125,
      texts: ['pod "web" is installed, and never in the foreground', "gantry start web"],
    });
    assert.equal(await output("run-prepared", "--detach", "web"), (await web(pods)).uuid);
    await output("stop", "web");
    await output("gc", "--grace-period=0s", "--expire-prepared=0s");
    await shell("systemctl start gantry@web && systemctl stop gantry@web");
  });
});

test("enabled, it is there after a reboot; drop-ins and order apply", async (t) => {
  await withPods(t, { name: "boot" }, async (pods) => {
    const { host, shell } = pods;
    await install(pods, WEB);
    await host.put(
      "/etc/systemd/system/gantry@web.service.d/order.conf",
      "[Service]\nExecStartPre=/bin/touch /run/before-web\n",
    );
    await host.put(
      "/etc/systemd/system/after-web.service",
      "[Unit]\nAfter=gantry@web.service\nRequires=gantry@web.service\n[Service]\nType=oneshot\n" +
        "ExecStart=/usr/bin/systemctl is-active gantry-web.front.service\nRemainAfterExit=yes\n" +
        "[Install]\nWantedBy=multi-user.target\n",
    );
    await shell("systemctl enable gantry@web after-web");
    await host.reboot();
    assert.equal(
      await shell("systemctl is-active gantry@web gantry-web.front after-web"),
      "active\nactive\nactive",
    );
    assert.equal(await shell("ls /run/before-web"), "/run/before-web");
    assert.equal((await web(pods)).state, "running");
  });
});

test("drop-ins reach apps and slice by the names that gantry(1) gives them, and set-property for one start", async (t) => {
  await withPods(t, { name: "drop-ins" }, async (pods) => {
    const { host, shell, output } = pods;
    await host.put("/srv/my-web.json", WEB);
    await output("install", "--insecure-options=image", "/srv/my-web.json");
    const [slice, front] = ["gantry-my\\x2dweb.slice", "gantry-my\\x2dweb.front.service"];
    assert.equal(await shell("systemd-escape my-web"), "my\\x2dweb");
    await host.put(`/etc/systemd/system/${slice}.d/limits.conf`, "[Slice]\nMemoryMax=100M\n");
    await host.put(`/etc/systemd/system/${front}.d/limits.conf`, "[Service]\nTasksMax=77\n");
    await shell("systemctl start gantry@my-web");
    const show = (unit: string, property: string) => shell(`systemctl show -P ${property} '${unit}'`);
    assert.equal(await show(slice, "MemoryMax"), String(100 << 20));
    assert.equal(await show(front, "TasksMax"), "77");
    await shell(`systemctl set-property '${slice}' CPUWeight=55`);
    assert.equal(await show(slice, "CPUWeight"), "55");
    await shell("systemctl restart gantry@my-web");
    assert.notEqual(await show(slice, "CPUWeight"), "55");
    assert.deepEqual(
      [await show(slice, "MemoryMax"), await show(front, "TasksMax")],
      [String(100 << 20), "77"],
      "without a daemon-reload",
    );
  });
});

test("a definition without a time, as images of hosts have their files, is one as any", async (t) => {
  await withPods(t, { name: "timeless" }, async (pods) => {
    const { shell } = pods;
    await install(pods, WEB);
    for (const time of ["@0", "@0.5", "@-1.5"]) {
      await shell(`touch -d ${time} /etc/gantry/pods/web.json`);
      await shell("systemctl start gantry@web && systemctl stop gantry@web");
      await shell(
        `${WITHOUT_NODE}; systemctl start gantry@web && systemctl stop gantry@web && { ${WITH_NODE}; }`,
      );
    }
  });
});

test("a changed definition takes effect with the next start; a running pod stays as it is", async (t) => {
  await withPods(t, { name: "change" }, async (pods) => {
    const { host, shell, output } = pods;
    await install(pods, WEB);
    await shell("systemctl start gantry@web");
    const pid = await shell("systemctl show -P MainPID gantry-web.front");
    await install(pods, definition([{ name: "other", args: ["sleep", "1000"] }]));
    assert.equal(await shell("systemctl show -P MainPID gantry-web.front"), pid);
    assert.equal(await output("exec", "--app=front", "web", "echo", "still"), "still");
    await shell("systemctl restart gantry@web");
    assert.deepEqual(
      (await web(pods)).apps.map(({ name }) => name),
      ["other"],
    );
    assert.equal(await shell("ls /var/lib/gantry/pods | wc -l"), "1", "the pod before is gone");

    await host.put("/etc/gantry/pods/web.json", definition([{ name: "third", args: ["sleep", "1000"] }]));
    await shell("systemctl restart gantry@web");
    assert.deepEqual(
      (await web(pods)).apps.map(({ name }) => name),
      ["third"],
      "edited by hand",
    );
  });
});

test("an app that cannot start fails the unit's start, and one that fails ends it", async (t) => {
  await withPods(t, { name: "fail" }, async (pods) => {
    const { host, shell } = pods;
    await install(pods, definition([{ name: "front", args: ["/nowhere/program"] }]));
    const start = await host.exec(["systemctl", "start", "gantry@web"]);
    assert.equal(start.status, 1, start.stderr);
    assert.equal(await shell("systemctl is-failed gantry@web"), "failed");
    assert.match(
      await shell("journalctl --sync; journalctl -o cat -u gantry@web"),
      /app "front".*\/nowhere\/program/,
    );
    assert.equal(await shell("systemctl list-units --no-legend 'gantry-web*' | cat"), "");

    await install(pods, definition([{ name: "front", args: ["sh", "-c", "sleep 0.3; exit 7"] }]));
    await shell(`systemctl start gantry@web; ${ENDED}`);
    const { state, apps } = await web(pods);
    assert.deepEqual([state, apps.map(({ status }) => status)], ["exited", [7]]);

    await install(pods, definition([{ name: "front", args: ["sleep", "0.3"] }]));
    await shell(`systemctl start gantry@web; ${ENDED}`);
    assert.equal(
      await shell("systemctl show -P Result gantry@web"),
      "success",
      "the last app's end is the pod's",
    );
  });
});

test("an app that fails at once ends the pod, whether its start is still under way or not", async (t) => {
  await withPods(t, { name: "at-once" }, async (pods) => {
    const { host, shell } = pods;
    const quick: App = { name: "quick", args: ["sh", "-c", "exit 7"] };
    await install(pods, definition([{ name: "slow", args: ["sleep", "1000"] }, quick]));
    for (let round = 0; round < 8; round += 1) {
      // Of an earlier round's failure, and not to meet systemd's start limit.
      await shell("systemctl reset-failed gantry@web || :");
      const { status } = await host.exec(["systemctl", "start", "gantry@web"]);
      assert.ok(status === 0 || status === 1, `status ${status}`);
      await shell("until ! systemctl -q is-active gantry@web gantry-web.slow; do sleep 0.02; done");
      assert.equal((await web(pods)).apps.find(({ name }) => name === "quick")?.status, 7);
    }
  });
});

test("a sandbox that cannot be made, and a start that is killed, leave no app behind", async (t) => {
  await withPods(t, { name: "no-sandbox" }, async (pods) => {
    const { host, shell } = pods;
    await install(pods, WEB);
    await shell("mv /usr/lib/gantry/gantry-init /usr/lib/gantry/gantry-init.away");
    assert.equal((await host.exec(["systemctl", "start", "gantry@web"])).status, 1);
    assert.equal(
      await shell("systemctl show -P StatusText -P ExecMainStatus gantry@web"),
      "sandbox: /usr/lib/gantry/gantry-init: No such file or directory\n226",
    );
    // systemd forgets dead units when it comes to that.
    await shell(
      `until [ -z "$(systemctl list-units --all --no-legend 'gantry-web*')" ]; do sleep 0.02; done`,
    );
    await shell("mv /usr/lib/gantry/gantry-init.away /usr/lib/gantry/gantry-init");

    const program = "/usr/lib/gantry/gantry-start";
    await shell(`mv ${program} ${program}.away`);
    for (const [call, point] of [
      ["connect", 1],
      ["connect", 2],
      ["write", 3],
      ["clone3", 1],
      ["sendmsg", 1],
    ] as const) {
      const killed = `strace -D -o /dev/null -e trace=${call} -e inject=${call}:signal=SIGKILL:when=${point}`;
      await host.put(program, `#!/bin/sh\nexec ${killed} ${program}.away "$@"\n`, 0o755);
      assert.equal((await host.exec(["systemctl", "start", "gantry@web"])).status, 1, `${call} ${point}`);
      await shell("systemctl reset-failed gantry@web.service");
      await shell(
        `until [ -z "$(systemctl list-units --no-legend ${ALIVE} 'gantry-web*')" ]; do sleep 0.02; done`,
      );
    }
    await shell(`mv ${program}.away ${program}`);
    await shell(
      "systemctl start gantry@web && systemctl is-active gantry-web.front && systemctl stop gantry@web",
    );
  });
});

test("wrong and half-written definitions are refused by line and key, at install and at start", async (t) => {
  await withPods(t, { name: "wrong" }, async (pods) => {
    const { host, shell, gantry } = pods;
    const unknown = WEB.replace('"args"', '"argz"');
    const refusals: [string, RegExp][] = [
      [unknown, /"\/srv\/web.json" line 5: apps\[0\]: unknown key "argz"/],
      [WEB.slice(0, 100), /"\/srv\/web.json".* is not JSON/],
      [definition([{ name: "Front", args: ["x"] }]), /line \d+: apps\[0\]\.name: /],
      [definition([{ name: "a", args: ["x"], terminal: true }]), /app "a" wants a terminal/],
      [definition([{ name: "a", args: ["x"] }], { name: "We/b" }), /name/],
    ];
    for (const [text, expected] of refusals) {
      await host.put("/srv/web.json", text);
      const { status, stderr } = await gantry(["install", "--insecure-options=image", "/srv/web.json"]);
      assert.equal(status, 1, stderr);
      assert.match(stderr, expected);
    }
    assert.equal(await shell("ls -A /etc/gantry/pods /var/lib/gantry/pods 2>/dev/null | grep -v : || :"), "");

    await install(pods, WEB);
    await host.put("/etc/gantry/pods/web.json", unknown);
    assert.equal((await host.exec(["systemctl", "start", "gantry@web"])).status, 1);
    assert.match(
      await shell("systemctl show -P StatusText gantry@web"),
      /line 5: apps\[0\]: unknown key "argz"/,
    );
    assert.match((await host.exec(["systemctl", "start", "gantry@nobody"])).stderr, /failed/);
    assert.match(await shell("systemctl show -P StatusText gantry@nobody"), /no pod "nobody" is installed/);
  });
});

test("unsigned images: accepted for this pod once, and no other image with it", async (t) => {
  await withPods(t, { name: "trust" }, async (pods) => {
    const { host, shell, gantry } = pods;
    await host.put("/srv/web.json", WEB);
    const refused = await gantry(["install", "/srv/web.json"]);
    assert.deepEqual(
      [refused.status, /busybox.*without a signature/.test(refused.stderr)],
      [5, true],
      refused.stderr,
    );
    const hint = (file: string) =>
      `hint: to have it checked: gantry fetch oci-archive:/srv/busybox.tar; to accept it without a check: gantry install --insecure-options=image ${file}`;
    assert.ok(refused.stderr.endsWith(`${hint("/srv/web.json")}\n`), refused.stderr);
    assert.equal(await shell("ls -A /etc/gantry/pods 2>/dev/null || :"), "");
    await install(pods, WEB);
    await shell("touch /etc/gantry/pods/web.json && systemctl start gantry@web && systemctl stop gantry@web");
    await shell("cd /var/lib/gantry/accepted/web && mv sha256-* sha256-0");
    await shell("touch /etc/gantry/pods/web.json");
    assert.equal((await host.exec(["systemctl", "start", "gantry@web"])).status, 1);
    assert.equal(await shell("systemctl show -P ExecMainStatus gantry@web"), "5");
    assert.match(
      await shell("systemctl show -P StatusText gantry@web"),
      /"busybox" is in the store without a signature/,
    );
    assert.ok(
      (await shell("journalctl --sync; journalctl -o cat -u gantry@web")).includes(
        hint("/etc/gantry/pods/web.json"),
      ),
      "the journal says how to mend it",
    );
  });
});

test("a pod that was removed is installed still: its next start accepts what was accepted, until it is uninstalled", async (t) => {
  await withPods(t, { name: "removed" }, async (pods) => {
    const { host, shell, output, refused } = pods;
    await install(pods, WEB);
    await shell("systemctl start gantry@web && systemctl stop gantry@web");
    await output("rm", "web");
    await output("gc", "--grace-period=0s");
    for (const verb of ["start", "status"])
      await refused([verb, "web"], {
        status: 4,
        texts: ['there is no pod "web"', "hint: it is installed: systemctl start gantry@web\n"],
      });
    await shell(
      "systemctl start gantry@web && systemctl is-active gantry-web.front && systemctl stop gantry@web",
    );
    await output("uninstall", "web");
    await host.put("/etc/gantry/pods/web.json", WEB);
    assert.equal((await host.exec(["systemctl", "start", "gantry@web"])).status, 1);
    assert.equal(await shell("systemctl show -P ExecMainStatus gantry@web"), "5", "its word went with it");
  });
});

test("what was accepted for a pod whose definition somebody took away is forgotten by a collection", async (t) => {
  await withPods(t, { name: "forgotten" }, async (pods) => {
    const { shell, output } = pods;
    await install(pods, WEB);
    await shell("rm /etc/gantry/pods/web.json");
    const accepted = "ls /var/lib/gantry/accepted";
    await output("gc");
    assert.equal(await shell(accepted), "web", "its definition may be about to come");
    await shell("touch -d -1hour /var/lib/gantry/accepted/web");
    await output("gc");
    assert.equal(await shell(accepted), "");
  });
});

test("a pod is installed by a name of 63 characters, and of no more", async (t) => {
  await withPods(t, { name: "length" }, async ({ host, shell, output, refused }) => {
    const [longest, longer] = ["a".repeat(63), "a".repeat(64)];
    for (const name of [longest, longer]) await host.put(`/srv/${name}.json`, WEB);
    await refused(["install", "--insecure-options=image", `/srv/${longer}.json`], {
      status: 1,
      texts: [`"${longer}" is no name for a pod`, "up to 63"],
    });
    assert.equal(await shell("ls -A /etc/gantry/pods /var/lib/gantry/pods 2>/dev/null | grep -v : || :"), "");
    await output("install", "--insecure-options=image", `/srv/${longest}.json`);
    await output("start", longest);
    await output("stop", longest);
    await output("uninstall", longest);
    await host.put(`/etc/gantry/pods/${longer}.json`, WEB);
    const listed = await shell("busctl call org.gantry1 /org/gantry1 org.gantry1.Manager ListInstalledPods");
    assert.equal(listed, "a(sss) 0", "nothing could be done to it");
  });
});

test("uninstall takes the definition and, once it has ended, the pod", async (t) => {
  await withPods(t, { name: "uninstall" }, async (pods) => {
    const { shell, output, gantry } = pods;
    await output("run", "--name=taken", "--detach", "busybox", "--", "sleep", "1000");
    await pods.host.put("/srv/taken.json", WEB);
    const taken = await gantry(["install", "--insecure-options=image", "/srv/taken.json"]);
    assert.deepEqual(
      [taken.status, /"taken" exists and is not installed/.test(taken.stderr)],
      [1, true],
      taken.stderr,
    );
    await output("rm", "--force", "taken");

    await install(pods, WEB);
    await shell("systemctl start gantry@web");
    await output("uninstall", "web");
    assert.equal(await shell("systemctl is-active gantry@web"), "active", "it runs on");
    await shell("systemctl stop gantry@web");
    await output("gc", "--grace-period=0s");
    assert.equal(
      await shell("ls -A /etc/gantry/pods /var/lib/gantry/pods /var/lib/gantry/names | grep -v : || :"),
      "",
    );
    const gone = await gantry(["uninstall", "web"]);
    assert.deepEqual([gone.status, /no pod "web" is installed/.test(gone.stderr)], [4, true], gone.stderr);
  });
});
