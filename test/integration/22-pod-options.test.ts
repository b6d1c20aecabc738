/** What an app may ask for: volumes, limits, restart; and pods under pressure: many runs, a full disk, a killed front. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leftovers, type PodHost, withPods } from "../fixtures/pod-host.ts";

const show = ({ shell }: PodHost, unit: string, property: string) =>
  shell(`systemctl show -P ${property} ${unit}`);

test("volumes of the host and empty ones, shared between apps, read-only where asked", async (t) => {
  await withPods(t, { name: "volumes" }, async (pods) => {
    const { output, shell, gantry } = pods;
    await shell("mkdir -p /run/data/sub && echo given >/run/data/file && chown 1000:2000 /run/data");
    const options = [
      ...["--volume=data,kind=host,source=/run/data", "--volume=tmp,kind=empty,mode=1777"],
      ...["--mount=volume=tmp,target=/shared"],
    ];
    const writer = "cat /data/file; id -u; echo made >/data/new; echo hello >/shared/word";
    const app = [
      "busybox",
      "--name=writer",
      "--user=web",
      "--mount=volume=data,target=/data",
      "--",
      "sh",
      "-c",
      writer,
    ];
    const reader = [
      "busybox",
      "--name=reader",
      "--",
      "sh",
      "-c",
      "until grep hello /shared/word 2>/dev/null; do sleep 0.1; done",
    ];
    const text = await output("run", ...options, ...app, "---", ...reader);
    assert.deepEqual(text.split("\n").sort(), ["1000", "given", "hello"]);
    assert.equal(await shell("stat -c %u:%g /run/data/new"), "1000:2000", "on disk as the app sees it");

    const readOnly = [
      "--volume=data,kind=host,source=/run/data,readOnly=true",
      "--mount=volume=data,target=/data",
    ];
    const refused = await gantry(["run", ...readOnly, "busybox", "--", "touch", "/data/x"]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /Read-only file system/);
    await output("gc", "--grace-period=0s");
    assert.equal(await shell("cat /run/data/file"), "given", "what is the host's stays");
    assert.equal(await leftovers(pods), "");
  });
});

test("limits are systemd's, of an app and of the pod", async (t) => {
  await withPods(t, { name: "limits" }, async (pods) => {
    const app = ["busybox", "--name=one", "--memory=64Mi", "--cpu=500m", "--pids=20", "--", "sleep", "1000"];
    await pods.output("run", "--detach", "--name=web", "--memory=1G", "--cpu=2", ...app);
    assert.equal(await show(pods, "gantry-web.one.service", "MemoryMax"), String(64 << 20));
    assert.equal(await show(pods, "gantry-web.one.service", "CPUQuotaPerSecUSec"), "500ms");
    assert.equal(await show(pods, "gantry-web.one.service", "TasksMax"), "20");
    assert.equal(await show(pods, "gantry-web.slice", "MemoryMax"), "1000000000");
    assert.equal(await show(pods, "gantry-web.one.service", "DevicePolicy"), "closed");
    const status = JSON.parse(await pods.output("status", "--format=json", "web"));
    assert.deepEqual(
      status.isolators.map(({ scope, name, verdict }: Record<string, string>) => [scope, name, verdict]),
      [
        ["pod", "resource/memory", "enforced"],
        ["pod", "resource/cpu", "enforced"],
        ["app", "resource/memory", "enforced"],
        ["app", "resource/cpu", "enforced"],
        ["app", "resource/pids", "enforced"],
      ],
    );
    await pods.output("rm", "--force", "web");
  });
});

test("two hundred runs leave nothing", async (t) => {
  await withPods(t, { name: "many" }, async (pods) => {
    const { shell, output } = pods;
    const before = await shell("systemctl list-units --all --no-legend | wc -l; wc -l </proc/self/mounts");
    const script =
      "for i in $(seq 200); do gantry run --insecure-options=image busybox -- true || exit; done";
    const { status, stderr } = await pods.host.exec(["sh", "-c", script], { timeoutMs: 600_000 });
    assert.equal(status, 0, stderr);
    assert.equal(JSON.parse(await output("list", "--format=json")).length, 200);
    await output("gc", "--grace-period=0s");
    assert.equal(await leftovers(pods), "");
    const after = await shell("systemctl list-units --all --no-legend | wc -l; wc -l </proc/self/mounts");
    assert.ok(
      Number(after.split("\n")[0]) <= Number(before.split("\n")[0]) + 2,
      `units: ${before} before, ${after} after`,
    );
    assert.equal(after.split("\n")[1], before.split("\n")[1], "mounts");
  });
});

function manifestOf(count: number): string {
  const apps = Array.from({ length: count }, (_, index) => ({
    name: `app${index}`,
    image: { id: "busybox" },
    args: ["sh", "-c", `echo app${index}`],
  }));
  return JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", apps });
}

test("a pod of many apps starts whole and says all; one of too many is refused", async (t) => {
  await withPods(t, { name: "many" }, async (pods) => {
    const run = ["run", "--pod-manifest=/srv/pod.json"];
    await pods.host.put("/srv/pod.json", manifestOf(48));
    const { status, stdout, stderr } = await pods.gantry(run);
    const names = Array.from({ length: 48 }, (_, index) => `app${index}`);
    assert.deepEqual([status, stderr, stdout.trim().split("\n").sort()], [0, "", [...names].sort()]);
    await pods.shell("journalctl --sync");
    const journal = await pods.shell("journalctl -q -o cat GANTRY_APP=app47 SYSLOG_IDENTIFIER=app47");
    assert.equal(journal, "app47");
    await pods.host.put("/srv/pod.json", manifestOf(65));
    const prepare = ["prepare", "--pod-manifest=/srv/pod.json"];
    await pods.refused(prepare, { status: 1, texts: ['"/srv/pod.json"', "apps: a pod has at most 64 apps"] });
    await pods.output("gc", "--grace-period=0s");
    assert.equal(await leftovers(pods), "");
  });
});

test("a front that is killed leaves the pod running, and it can be stopped and removed", async (t) => {
  await withPods(t, { name: "front" }, async (pods) => {
    const front = await pods.host.spawn([
      ...["gantry", "run", "--insecure-options=image", "--name=web", "busybox", "--"],
      ...["sh", "-c", "echo up; exec sleep 1000"],
    ]);
    await front.until(/up/);
    front.kill("SIGKILL");
    await front.ended;
    assert.match(await pods.output("status", "web"), /^state=running$/m);
    await pods.output("stop", "web");
    await pods.output("rm", "web");
    assert.equal(await leftovers(pods), "");
  });
});

test("on a full disk a run is refused by name, leaves nothing, and works again when there is space", async (t) => {
  await withPods(t, { name: "full", data: { ext4MiB: 64 } }, async (pods) => {
    const { shell, gantry, output } = pods;
    await shell(
      "dd if=/dev/zero of=/var/lib/gantry/ballast bs=1M 2>/dev/null; dd if=/dev/zero of=/var/lib/gantry/dust bs=1 2>/dev/null; true",
    );
    const { status, stderr } = await gantry(["run", "--name=web", "busybox", "--", "true"]);
    assert.equal(status, 125, stderr);
    assert.match(stderr, /^gantry: no space is left in "\/var\/lib\/gantry/);
    assert.equal(await leftovers(pods), "");
    await shell("rm /var/lib/gantry/ballast /var/lib/gantry/dust");
    await output("run", "--name=web", "busybox", "--", "true");
  });
});
