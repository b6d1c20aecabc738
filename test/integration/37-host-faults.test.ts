/** Faults of the host under running pods: systemd, the bus and the journal start anew; the power fails; a reboot. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "../../src/manager/manager.ts";
import { assertRefusal, cleanUp, remainsAtLast } from "../fixtures/faults.ts";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";
import type { HostProcess, Result } from "../host/host.ts";

async function status({ output }: PodHost, pod: string): Promise<PodStatus> {
  return JSON.parse(await output("status", "--format=json", pod));
}

const SPEAKER = "trap 'echo bye; exit 9' TERM; while :; do echo tick; sleep 0.1; done";

test("pods outlive daemon-reexec, daemon-reload, a new bus and a killed journal, and are stopped as ever", async (t) => {
  await withPods(t, { name: "outlive" }, async (pods) => {
    const { output, shell } = pods;
    await output("run", "--detach", "--name=web", "busybox", "--", "sh", "-c", SPEAKER);
    const pid = (await status(pods, "web")).apps[0]?.pid;
    for (const fault of [
      "systemctl daemon-reexec",
      "systemctl daemon-reload",
      "systemctl restart dbus.service",
      "systemctl kill --signal=KILL systemd-journald.service",
    ]) {
      await shell(fault);
      await shell(
        "until systemctl is-active -q systemd-journald && systemctl is-active -q dbus; do sleep 0.1; done",
      );
      const now = await status(pods, "web");
      assert.deepEqual([now.state, now.apps[0]?.state, now.apps[0]?.pid], ["running", "running", pid], fault);
      assert.equal(await output("exec", "web", "echo", "works"), "works", fault);
    }
    const since = await shell("date +%s");
    await shell(`until journalctl --sync; journalctl -q --since=@${since} GANTRY_POD=web -o cat | grep -q tick; do
      sleep 0.1; done`);
    await output("stop", "web");
    assert.equal((await status(pods, "web")).apps[0]?.status, 9, "the end is recorded");
    assert.match(await shell("journalctl --sync; journalctl -q GANTRY_POD=web -o cat"), /^bye$/m);
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
  });
});

test("a pod in the foreground and one being started outlive daemon-reexec with whoever waits for them", async (t) => {
  await withPods(t, { name: "reexec" }, async (pods) => {
    const run = ["gantry", "run", "--insecure-options=image"];
    const spoken = await pods.host.spawn([...run, "--name=spoken", "busybox", "--", "sh", "-c", SPEAKER]);
    const script = "echo up; until [ -e /go ]; do sleep 0.1; done; exit 7";
    const waiting = await pods.host.spawn([...run, "--name=waiting", "busybox", "--", "sh", "-c", script]);
    const manifest = {
      ...{ acKind: "PodManifest", acVersion: "0.8.11", name: "late" },
      apps: [{ name: "app", image: { id: "busybox" }, args: ["sleep", "1000"], ready: "app" }],
    };
    await pods.host.put("/srv/late.json", JSON.stringify(manifest));
    const late = await pods.host.spawn([...run, "--detach", "--pod-manifest=/srv/late.json"]);
    await Promise.all([spoken.until(/tick/), waiting.until(/up/)]);
    const main = "$(systemctl show -P MainPID gantry-late.app.service)";
    await pods.shell(`until grep -qsx sleep /proc/${main}/comm; do sleep 0.1; done`);
    await pods.shell("systemctl daemon-reexec");

    await pods.shell("kill -TERM $(pgrep -f '^gantry run .*--name=spoken')");
    const said = await endOf(spoken);
    assert.equal(said.status, 9, said.stderr);
    assert.match(said.stdout, /^bye$/m);
    await pods.output("exec", "waiting", "touch", "/go");
    assert.equal((await endOf(waiting)).status, 7);
    await pods.shell(`kill -KILL ${main}`);
    const failed = await endOf(late);
    assertRefusal(failed, 1, 'pod "late", app "app": ');
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
  });
});

/** A command that hangs is ended, and its status tells so. */
async function endOf(running: HostProcess): Promise<Result> {
  const stuck = setTimeout(() => running.kill("SIGKILL"), 60_000);
  const ended = await running.ended;
  clearTimeout(stuck);
  return ended;
}

test("a killed agent takes no pod with it, and the next call starts another", async (t) => {
  await withPods(t, { name: "agent" }, async (pods) => {
    await pods.output("run", "--detach", "--name=web", "busybox", "--", "sleep", "1000");
    const call = "busctl --json=short call org.gantry1 /org/gantry1 org.gantry1.Manager ListPods";
    const before = await pods.shell(call);
    await pods.shell(
      "systemctl kill --signal=KILL gantry-agent.service; while systemctl -q is-active gantry-agent; do sleep 0.1; done",
    );
    assert.equal(await pods.shell(call), before);
    assert.equal((await status(pods, "web")).state, "running");
    await pods.output("rm", "--force", "web");
    await pods.shell(
      "systemctl stop gantry-agent.service; systemctl reset-failed gantry-agent.service || true",
    );
    assert.equal(await remainsAtLast(pods), "");
  });
});

test("a power cut leaves running pods exited because of it, to be started again; ends that were told stay", async (t) => {
  await withPods(t, { name: "cut", data: { ext4MiB: 128 } }, async (pods) => {
    const { output, host, gantry, shell } = pods;
    assert.equal((await gantry(["run", "--name=done", "busybox", "--", "sh", "-c", "exit 9"])).status, 9);
    const write = "[ -e /kept ] && echo again >>/kept || echo first >/kept; sync; exec sleep 1000";
    for (const name of ["a", "b"]) {
      await output("run", "--detach", `--name=${name}`, "busybox", "--", "sh", "-c", write);
    }
    await output("exec", "a", "sh", "-c", "until [ -s /kept ]; do sleep 0.1; done; sync");
    await host.kill();
    await host.boot();
    for (const name of ["a", "b"]) {
      const cut = await status(pods, name);
      assert.deepEqual([cut.state, cut.reason], ["exited", "host-rebooted"], name);
    }
    assert.deepEqual(
      [(await status(pods, "done")).state, (await status(pods, "done")).apps[0]?.status],
      ["exited", 9],
    );
    await output("start", "a");
    assert.equal((await status(pods, "a")).state, "running");
    const kept = "until grep -q again /kept; do sleep 0.1; done; cat /kept";
    assert.equal(await output("exec", "a", "sh", "-c", kept), "first\nagain");
    await output("stop", "a");
    await host.reboot();
    const [done, a] = [await status(pods, "done"), await status(pods, "a")];
    assert.deepEqual(
      [done.apps[0]?.status, a.state, a.reason, a.apps[0]?.signal],
      [9, "exited", undefined, 15],
    );
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
    assert.equal(await shell("systemctl is-system-running"), "running");
  });
});
