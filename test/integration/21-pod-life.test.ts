/** The life of pods in the background: start, look, signal, stop, start again, remove; what systemd and the journal see. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "../../src/manager/manager.ts";
import { said } from "../fixtures/lingerer.ts";
import { leftovers, type PodHost, withPods } from "../fixtures/pod-host.ts";

async function status({ output }: PodHost, pod: string): Promise<PodStatus> {
  return JSON.parse(await output("status", "--format=json", pod));
}

/** Each app's end as a word. */
function ends(pod: PodStatus): Record<string, string> {
  return Object.fromEntries(
    pod.apps.map((app) => [app.name, app.signal === undefined ? `${app.status}` : `signal ${app.signal}`]),
  );
}

const TWO = [
  "busybox",
  "--name=one",
  "--",
  "sleep",
  "1000",
  "---",
  "busybox",
  "--name=two",
  "--",
  "sleep",
  "1000",
];

test("a pod of two apps: systemd's own services, found by name and UUID, stopped and started again", async (t) => {
  await withPods(t, { name: "life" }, async (pods) => {
    const { output, shell, refused } = pods;
    const uuid = await output("run", "--detach", "--name=my-web", "--uuid-file-save=/tmp/uuid", ...TWO);
    assert.match(uuid, /^[0-9a-f]{32}$/);
    assert.equal(await shell("cat /tmp/uuid"), uuid);
    const running = await status(pods, "my-web");
    assert.deepEqual(
      [running.state, running.uuid, running.apps.map((app) => app.state)],
      ["running", uuid, ["running", "running"]],
    );
    const pid = await shell("systemctl show -P MainPID 'gantry-my\\x2dweb.one.service'");
    assert.equal(
      await shell(`cat /proc/${pid}/comm; awk '/PPid/{print $2}' /proc/${pid}/status`),
      "sleep\n1",
    );
    assert.match(await output("list"), new RegExp(`^${uuid.slice(0, 8)}  my-web  one  \\S+  running `, "m"));
    await refused(["rm", "my-web"], { status: 1, texts: ['pod "my-web" is running', "gantry stop my-web"] });
    await refused(["run-prepared", uuid], { status: 125, texts: ['pod "my-web" is running'] });
    await refused(["run", "--name=my-web", "busybox"], { status: 125, texts: ['"my-web"', uuid] });

    assert.equal(await output("stop", uuid.slice(0, 8)), uuid);
    const stopped = await status(pods, "my-web");
    assert.deepEqual([stopped.state, ends(stopped)], ["exited", { one: "signal 15", two: "signal 15" }]);
    assert.ok((stopped.ended ?? 0) > (stopped.started ?? Number.POSITIVE_INFINITY));
    assert.match(await output("stop", "my-web"), /has ended already$/);
    await refused(["kill", "my-web"], { status: 3, texts: ['pod "my-web" is not running'] });

    assert.equal(await output("start", "my-web"), uuid);
    const first = await status(pods, "my-web");
    assert.equal(first.state, "running");
    assert.equal(await output("restart", "my-web"), uuid);
    const second = await status(pods, "my-web");
    assert.equal(second.state, "running");
    assert.ok((second.started ?? 0) > (first.started ?? Number.POSITIVE_INFINITY));
    for (const words of [["nobody"], ["my-web", "nobody"]])
      await refused(["restart", ...words], { status: 4, texts: ['"nobody"'] });
    const third = await status(pods, "my-web");
    assert.deepEqual([third.state, third.started], ["running", second.started], "it was not stopped");
    assert.equal(await output("rm", "--force", "my-web"), uuid);
    await refused(["status", "my-web"], { status: 4, texts: ['"my-web"'] });
    assert.equal(await leftovers(pods), "");
  });
});

test("what an app's end means for its pod", async (t) => {
  await withPods(t, { name: "ends" }, async (pods) => {
    const { output, shell } = pods;
    const pod = (name: string, ...apps: string[]) => output("run", "--detach", `--name=${name}`, ...apps);
    await shell("mkdir /run/go");
    await pod(
      "fails",
      "--volume=go,kind=host,source=/run/go",
      "--mount=volume=go,target=/go",
      "busybox",
      "--name=bad",
      "--",
      "sh",
      "-c",
      "until [ -e /go/now ]; do sleep 0.05; done; exit 3",
      "---",
      "busybox",
      "--name=good",
      "--",
      "sleep",
      "1000",
    );
    await shell("touch /run/go/now");
    await output("status", "--wait=20s", "fails");
    assert.deepEqual(
      ends(await status(pods, "fails")),
      { bad: "3", good: "signal 15" },
      "a failing app ends the pod",
    );

    await pod(
      "goes-on",
      "busybox",
      "--name=short",
      "--",
      "sleep",
      "0.2",
      "---",
      "busybox",
      "--name=long",
      "--",
      "sleep",
      "1",
    );
    await output("status", "--wait=20s", "goes-on");
    assert.deepEqual(
      ends(await status(pods, "goes-on")),
      { short: "0", long: "0" },
      "a pod lives as long as its last app",
    );

    await pod(
      "again",
      "busybox",
      "--name=phoenix",
      "--restart=always",
      "--",
      "sh",
      "-c",
      // It stops ending before systemd's start limit, 5 in 10 s, can stop it.
      "echo up >>/ups; [ $(wc -l </ups) -ge 3 ] && exec sleep 1000; sleep 0.2",
    );
    await shell(
      "until [ $(systemctl show -P NRestarts gantry-again.phoenix.service) -ge 2 ]; do sleep 0.1; done",
    );
    assert.equal((await status(pods, "again")).state, "running");
    await output("stop", "again");
    assert.equal((await status(pods, "again")).state, "exited");
  });
});

test("signals, waiting, and the journal during and after a pod's life", async (t) => {
  await withPods(t, { name: "journal" }, async (pods) => {
    const { output, shell, refused } = pods;
    const script = "trap 'echo caught; exit 4' USR1; echo ready; while :; do sleep 0.1; done";
    await output("run", "--detach", "--name=web", "busybox", "--name=one", "--", "sh", "-c", script);
    assert.match(await output("status", "--wait-ready=20s", "web"), /^app-one=running$/m);
    await refused(["status", "--wait=100ms", "web"], {
      status: 1,
      texts: ['pod "web" is not exited after 100ms'],
    });
    await refused(["status", "--wait=soon", "web"], { status: 2, texts: ['"soon" is not a duration'] });
    await refused(["kill", "--signal=NOPE", "web"], { status: 2, texts: ['"NOPE" is not a signal'] });
    await refused(["kill", "--app=two", "web"], {
      status: 4,
      texts: ['pod "web" has no app "two"', "its apps: one"],
    });
    await said(pods, "web", "ready");
    await output("kill", "--signal=USR1", "web");
    assert.match(await output("status", "--wait=20s", "web"), /^app-one=4$/m);
    await shell("journalctl --sync");
    assert.equal(await output("logs", "--output=cat", "web"), "ready\ncaught");
    assert.equal(await output("logs", "--output=cat", "--lines=1", "--app=one", "web"), "caught");
    await refused(["logs", "--app=two", "web"], { status: 4, texts: ['has no app "two"'] });
    assert.equal(await shell("journalctl -o cat GANTRY_POD=web GANTRY_APP=one"), "ready\ncaught");
    const entry = JSON.parse(
      (await output("logs", "--output=json", "--lines=1", "web")).split("\n")[0] ?? "{}",
    );
    assert.equal(entry["_SYSTEMD_UNIT"], "gantry-web.one.service");
    assert.equal(entry["SYSLOG_IDENTIFIER"], "one");
    assert.match(entry["GANTRY_IMAGE_DIGEST"], /^sha256:[0-9a-f]{64}$/);
  });
});

test("prepare, run-prepared, cat-manifest, and a pod manifest", async (t) => {
  await withPods(t, { name: "prepare" }, async (pods) => {
    const { output, refused, host, gantry } = pods;
    const uuid = await output("prepare", "--quiet", "--name=later", "busybox", "--", "sh", "-c", "exit 5");
    assert.equal((await status(pods, "later")).state, "prepared");
    await refused(["stop", "later"], { status: 3, texts: ['pod "later" was not started'] });
    const manifest = JSON.parse(await output("cat-manifest", "later"));
    assert.deepEqual(manifest.apps[0].app.exec, ["sh", "-c", "exit 5"]);
    assert.equal((await gantry(["run-prepared", "later"])).status, 5);
    await refused(["run-prepared", uuid], { status: 125, texts: ["is not prepared", "gantry start later"] });

    await host.put("/srv/pod.json", JSON.stringify({ ...manifest, name: "copy" }));
    assert.equal(
      (await gantry(["run", "--pod-manifest=/srv/pod.json"])).status,
      5,
      "what was printed can be run",
    );
  });
});

test("an exited pod stays known over a reboot, one that ran is told to have been cut off", async (t) => {
  await withPods(t, { name: "reboot", data: { ext4MiB: 256 } }, async (pods) => {
    const { output, host } = pods;
    await pods.gantry(["run", "--name=done", "busybox", "--", "sh", "-c", "exit 9"]);
    await output("run", "--detach", "--name=alive", "busybox", "--", "sleep", "1000");
    await output("prepare", "--name=waiting", "busybox", "--", "true");
    await host.kill();
    await host.boot();
    assert.deepEqual(ends(await status(pods, "done")), { busybox: "9" });
    const alive = await status(pods, "alive");
    assert.deepEqual([alive.state, alive.reason], ["exited", "host-rebooted"]);
    assert.equal((await status(pods, "waiting")).state, "prepared");
    await output("run-prepared", "waiting");
    await output("start", "alive");
    assert.equal((await status(pods, "alive")).state, "running");
    await output("rm", "--force", "alive", "done", "waiting");
    assert.equal(await leftovers(pods), "");
  });
});
