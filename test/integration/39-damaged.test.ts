/** Documents of a pod or an image that cannot be read: the damage of one is not the others'. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "../../src/manager/manager.ts";
import { importImage, leftovers, withPods } from "../fixtures/pod-host.ts";
import { tarOf } from "../fixtures/tar.ts";

test("a damaged pod is told as one, leaves the others alone, and goes by force", async (t) => {
  await withPods(t, { name: "damaged" }, async (pods) => {
    const { output, shell, refused } = pods;
    await output("run", "--name=good", "--detach", "busybox", "--", "sleep", "1000");
    const uuid = await output("run", "--name=bad", "--detach", "busybox", "--", "sleep", "1000");
    await shell(`echo '{"version":' > /var/lib/gantry/pods/${uuid}/pod.json`);
    const list = JSON.parse(await output("list", "--format=json")) as PodStatus[];
    assert.deepEqual(list.map(({ state }) => state).sort(), ["damaged", "running"]);
    assert.match(await output("list"), /damaged/);
    await output("gc", "--grace-period=0s");
    await refused(["rm", "bad"], { status: 1, texts: [uuid, "is damaged", `gantry rm --force ${uuid}`] });
    assert.equal(await output("rm", "--force", "bad"), uuid);
    assert.equal(
      await shell("systemctl is-active gantry-bad.service || :"),
      "inactive",
      "what ran of it is stopped",
    );
    await output("rm", "--force", "good");
    await output("gc", "--grace-period=0s");
    await shell("systemctl reset-failed");
    assert.equal(await leftovers(pods), "");
  });
});

test("a damaged image record is told as one, leaves images, pods and trust alone, and goes by its id", async (t) => {
  await withPods(t, { name: "damaged-image" }, async (pods) => {
    const { host, output, shell, refused } = pods;
    await importImage(host, "bad", {
      layers: [await tarOf([{ name: "bad", body: "bad" }])],
      config: { Cmd: ["/bad"] },
    });
    const id = JSON.parse(await output("image", "inspect", "bad")).id as string;
    await output("run", "--name=good", "--detach", "busybox", "--", "sleep", "1000");
    await shell(`truncate -s 100 /var/lib/gantry/images/${id}.json`);
    const row = new RegExp(`^${id.slice(0, 19)} +- .* damaged$`, "m");
    assert.match(await output("image", "list"), row);
    const listed = await host.user(["gantry", "image", "list"]);
    assert.match(listed.stdout, row, listed.stderr);
    const list = JSON.parse(await output("image", "list", "--format=json"));
    assert.deepEqual(list.at(-1), { id, damaged: true });
    assert.match(await output("completion", "images"), new RegExp(`^${id}$`, "m"));
    const rows = await shell("busctl call org.gantry1 /org/gantry1 org.gantry1.Manager ListImages");
    assert.match(rows, /busybox/);
    await shell("busctl call org.gantry1 /org/gantry1 org.freedesktop.DBus.ObjectManager GetManagedObjects");
    const texts = [id, "can't be read", `gantry image rm ${id}`];
    await refused(["image", "inspect", "bad"], { status: 1, texts });
    await refused(["run", "bad"], { status: 125, texts });
    const { status, stdout, stderr } = await pods.gantry(["image", "verify", "--all", "--format=json"]);
    const sound = (JSON.parse(stdout) as { readonly ok: boolean }[]).map(({ ok }) => ok);
    assert.deepEqual([status, sound], [1, [true]], stderr);
    assert.match(stderr, new RegExp(`^gantry: .*${id}.* can't be read`));
    await output("trust", "add", "--prefix=example.com", "--reject");
    await output("image", "gc", "--grace-period=0s");
    await refused(["image", "rm", "busybox"], { status: 1, texts: ["is used by pod"] });
    const begun = await shell(
      `busctl call org.gantry1 /org/gantry1 org.gantry1.Manager RemoveImage 'sa{sv}' ${id} 0`,
    );
    const operation = /"([^"]+)"/.exec(begun)?.[1];
    await shell(
      `until busctl get-property org.gantry1 ${operation} org.gantry1.Operation Phase | grep -q done; do sleep 0.1; done`,
    );
    assert.doesNotMatch(await output("image", "list", "--full"), new RegExp(id));
    assert.equal(await shell("ls /var/lib/gantry/tags | grep bad || :"), "");
    await output("rm", "--force", "good");
    await output("gc", "--grace-period=0s");
    assert.equal(await leftovers(pods), "");
  });
});

test("a damaged stamp of an installed pod is told, keeps the pod, and does not keep a collection from the rest", async (t) => {
  await withPods(t, { name: "damaged-stamp" }, async (pods) => {
    const { output, shell, gantry, host } = pods;
    const apps = [{ name: "app", image: { id: "busybox" }, args: ["sleep", "1000"] }];
    await host.put("/srv/web.json", JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", apps }));
    await output("install", "--insecure-options=image", "/srv/web.json");
    const uuid = await shell("basename $(readlink /var/lib/gantry/names/web)");
    const ended = await output("run", "--name=ended", "--detach", "busybox", "--", "true");
    await output("status", "--wait", "ended");
    await shell(`echo '{"version":' > /var/lib/gantry/pods/${uuid}/definition.json`);
    const unfinished = "/var/lib/gantry/inbox/1-1-00000000-0123456789ab";
    await shell(`mkdir -p ${unfinished}`);
    const { status, stdout, stderr } = await gantry(["gc", "--grace-period=0s", "--expire-prepared=0s"]);
    assert.deepEqual([status, stdout], [0, `removed pod ${ended}: it has ended\n`], stderr);
    assert.equal(
      stderr,
      `gantry: kept pod ${uuid}: "/var/lib/gantry/pods/${uuid}/definition.json" is damaged\n`,
    );
    assert.equal(await shell(`ls -d ${unfinished} 2>/dev/null || ls /var/lib/gantry/pods`), uuid);
    await shell("systemctl start gantry-gc.service");

    assert.equal(await output("rm", "web"), uuid);
    await output("install", "--insecure-options=image", "/srv/web.json");
    await shell("systemctl start gantry@web && systemctl stop gantry@web");
  });
});
