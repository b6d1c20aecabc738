/** Installed pods whose apps fail: a failed unit, and what systemd does about one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";

type App = { readonly name: string; readonly args: readonly string[]; readonly [key: string]: unknown };

const sh = (name: string, script: string, more: object = {}): App => ({
  name,
  args: ["sh", "-c", script],
  ...more,
});

async function install({ host, shell, output }: PodHost, apps: readonly App[], dropIn = ""): Promise<void> {
  const all = apps.map((app) => ({ image: { id: "busybox" }, ...app }));
  await host.put("/srv/web.json", JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", apps: all }));
  await host.put("/etc/systemd/system/gantry@web.service.d/test.conf", dropIn);
  await host.put(
    "/etc/systemd/system/alarm.service",
    "[Service]\nType=oneshot\nExecStart=touch /run/alarm\n",
  );
  await output("install", "--insecure-options=image", "/srv/web.json");
  await shell("systemctl daemon-reload; rm -f /run/alarm");
}

/** What an app waits for, and how it is told. */
const told = "until [ -e /go ]; do sleep 0.05; done";
const tell = (app: string) => `gantry exec --app=${app} web touch /go`;

const ended = "until systemctl is-active gantry@web | grep -qx 'inactive\\|failed'; do sleep 0.05; done";

async function fact({ shell }: PodHost, name: string): Promise<string> {
  return await shell(`systemctl show -P ${name} gantry@web`);
}

async function facts(pods: PodHost): Promise<string> {
  return `${await fact(pods, "ActiveState")} ${await fact(pods, "Result")} ${await fact(pods, "ExecMainStatus")}`;
}

test("an app that fails makes a failed unit, which says which app it was", async (t) => {
  await withPods(t, { name: "failed" }, async (pods) => {
    const { shell } = pods;
    const bye = sh("other", "trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done");
    await install(pods, [sh("front", `${told}; exit 3`), bye], "[Unit]\nOnFailure=alarm.service\n");
    await shell(`systemctl start gantry@web && ${tell("front")}; ${ended}; systemctl is-failed gantry@web`);
    const sentence =
      'app "front" has failed (exit-code, status 3); see journalctl -u gantry-web.front.service';
    assert.equal(await facts(pods), "failed exit-code 3");
    assert.equal(await fact(pods, "StatusText"), sentence);
    assert.ok(
      (await shell("journalctl --sync; journalctl -o cat -u gantry@web")).includes(`gantry: ${sentence}`),
    );
    assert.match(
      await shell("journalctl --sync; journalctl -o cat -u gantry-web.other"),
      /^bye$/m,
      "the others are stopped first",
    );
    await shell("until [ -e /run/alarm ]; do sleep 0.05; done");
    assert.equal(await shell("ls /run/gantry/pods"), "");

    await install(pods, [sh("front", "exit 7")]);
    await shell(`systemctl start gantry@web; ${ended}`);
    assert.match(await facts(pods), /^failed exit-code [17]$/, "before or after its start is done");

    await install(pods, [sh("front", "sleep 1000")]);
    await shell(`systemctl start gantry@web && gantry kill --signal=KILL web; ${ended}`);
    assert.equal(await facts(pods), "failed exit-code 137");
  });
});

test("Restart= starts the pod of a failed app again, in full", async (t) => {
  await withPods(t, { name: "restart" }, async (pods) => {
    const { shell } = pods;
    const once = sh("front", `test -e /again && exec sleep 1000; touch /again; ${told}; exit 3`);
    await install(pods, [once, sh("other", "sleep 1000")], "[Service]\nRestart=on-failure\n");
    await shell(`systemctl start gantry@web && ${tell("front")}`);
    await shell("until [ $(systemctl show -P NRestarts gantry@web) = 1 ]; do sleep 0.05; done");
    await shell("until systemctl -q is-active gantry@web; do sleep 0.05; done");
    assert.equal(await shell("systemctl is-active gantry-web.front gantry-web.other"), "active\nactive");
    assert.equal(await pods.output("exec", "--app=front", "web", "cat", "/proc/1/comm"), "gantry-sandbox");

    await shell("systemctl stop gantry@web");
    assert.equal(await facts(pods), "inactive success 0");

    const ends = [sh("front", "sleep 0.2")];
    await install(pods, ends, "[Service]\nRestart=on-failure\n");
    await shell(`systemctl start gantry@web; ${ended}`);
    assert.equal(await facts(pods), "inactive success 0");
    await install(pods, ends, "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\n");
    await shell("systemctl start gantry@web");
    await shell("until [ $(systemctl show -P NRestarts gantry@web) -ge 2 ]; do sleep 0.05; done");
    await shell("systemctl stop gantry@web");
  });
});

test("an app that systemd restarts fails its pod only when it is given up", async (t) => {
  await withPods(t, { name: "given-up" }, async (pods) => {
    const { shell } = pods;
    const restart = { policy: "on-failure", delay: 0.1, limit: { starts: 3, interval: 60 } };
    await install(pods, [sh("front", "sleep 0.5; exit 4", { restart }), sh("other", told)]);
    await shell("systemctl start gantry@web");
    await shell("until systemctl -q is-failed gantry-web.front; do sleep 0.05; done");
    assert.equal(await shell("systemctl is-active gantry@web gantry-web.other"), "active\nactive");
    await shell(`${tell("other")}; ${ended}`);
    assert.equal(await facts(pods), "failed exit-code 4");
  });
});

test("a stop, a restart and a TERM are no failures, whatever the apps make of them", async (t) => {
  await withPods(t, { name: "no-failure" }, async (pods) => {
    const { shell } = pods;
    const dropIn = "[Unit]\nOnFailure=alarm.service\n[Service]\nRestart=on-failure\n";
    const rude = sh("rude", "trap 'exit 143' TERM; while :; do sleep 0.1; done");
    await install(pods, [rude, sh("front", "exec sleep 1000")], dropIn);
    await shell("systemctl start gantry@web && systemctl restart gantry@web");
    assert.equal(await shell("systemctl is-active gantry@web gantry-web.rude"), "active\nactive");
    await shell("systemctl stop gantry@web");
    const success = "inactive success 0";
    assert.equal(await facts(pods), success);
    assert.doesNotMatch(
      await shell("journalctl --sync; journalctl -o cat -u gantry-ended@web"),
      /Starting/,
      "a stop runs nothing more",
    );

    await shell("systemctl start gantry@web && gantry stop web");
    assert.equal(await facts(pods), success);
    await install(pods, [sh("front", "exec sleep 1000")], dropIn);
    await shell(`systemctl start gantry@web && gantry kill --signal=TERM web; ${ended}`);
    assert.equal(await facts(pods), success);
    assert.equal(await shell("ls /run/alarm 2>/dev/null || :"), "");
  });
});
