/** The same thing asked for twice at once: one gets it, the other is told by name, and nothing is left over. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertRefusal, cleanUp, remainsAtLast } from "../fixtures/faults.ts";
import { busyboxImage, manyLayerImage } from "../fixtures/images.ts";
import { importImage, podHost, withPods } from "../fixtures/pod-host.ts";
import { withHost } from "../host/with-host.ts";

test("of eight runs with one name at once one runs, and seven say whose it is", async (t) => {
  await withPods(t, { name: "name" }, async (pods) => {
    const run = ["run", "--detach", "--name=web", "busybox", "--", "sleep", "1000"];
    const results = await Promise.all(Array.from({ length: 8 }, () => pods.gantry(run)));
    const [winner, ...others] = results.filter(({ status }) => status === 0);
    assert.deepEqual(others, []);
    const uuid = winner?.stdout.trim() ?? "";
    for (const loser of results.filter(({ status }) => status !== 0)) {
      assertRefusal(
        loser,
        125,
        /gantry: a pod named "web" (exists: [0-9a-f]{32}|is being prepared)/,
        "hint: ",
      );
    }
    assert.match(uuid, /^[0-9a-f]{32}$/);
    assert.equal(await pods.shell("ls /var/lib/gantry/pods; ls /var/lib/gantry/ids | wc -l"), `${uuid}\n1`);
    await pods.output("rm", "--force", "web");
    assert.equal(await remainsAtLast(pods), "");
  });
});

test("a pod that is started, stopped and removed by several at once ends up gone", async (t) => {
  await withPods(t, { name: "verbs" }, async (pods) => {
    for (let round = 0; round < 4; round++) {
      await pods.output("prepare", "--quiet", "--name=p", "busybox", "--", "sleep", "1000");
      const verbs = [["start", "p"], ["start", "p"], ["stop", "p"], ["rm", "--force", "p"], ["gc"], ["list"]];
      const results = await Promise.all(verbs.map((words) => pods.gantry(words)));
      for (const [at, { status, stderr }] of results.entries()) {
        assert.ok([0, 1, 3, 4, 125].includes(status), `${verbs[at]}: ${status}: ${stderr}`);
        if (status !== 0) assert.match(stderr, /^gantry: .*("p"|[0-9a-f]{32})/, String(verbs[at]));
      }
      await pods.gantry(["rm", "--force", "p"]);
      await cleanUp(pods);
      assert.equal(await remainsAtLast(pods), "", `round ${round}`);
    }
  });
});

test("what a start that met the removal of its pod has left with systemd goes with gc, and nobody else's", async (t) => {
  await withHost(t, { name: "fields" }, async (host) => {
    const pods = podHost(host);
    const exported = async () =>
      (await pods.shell("ls /run/systemd/units | grep ^log-extra-fields:")).split("\n");
    const run = "systemd-run --quiet --property=LogExtraFields=A=B";
    await pods.shell(`
      ${run} --wait --unit=gantry-gone.busybox.service true
      touch /run/systemd/units/log-extra-fields:gantry-gone.busybox.service
      touch /run/systemd/units/log-extra-fields:gantry@gone.service
      touch /run/systemd/units/log-extra-fields:not-gantry-gone.service
      ${run} --unit=gantry-loaded.service sleep 1000`);
    const fieldsOf = (name: string) => `log-extra-fields:${name}.service`;
    const staying = ["gantry-loaded", "not-gantry-gone"].map(fieldsOf);
    const all = [...["gantry-gone.busybox", "gantry@gone"].map(fieldsOf), ...staying];
    assert.deepEqual((await exported()).sort(), all.sort());
    await pods.output("gc", "--grace-period=0s", "--dry-run");
    await pods.output("gc");
    assert.deepEqual((await exported()).sort(), all.sort());
    await pods.output("gc", "--grace-period=0s");
    assert.deepEqual((await exported()).sort(), staying.sort());
  });
});

test("two imports of one image at once both succeed and make one; removed at once, one says it is gone", async (t) => {
  await withHost(t, { name: "import" }, async (host) => {
    const pods = podHost(host);
    await importImage(host, "many", await manyLayerImage(3));
    await importImage(host, "busybox", await busyboxImage());
    await pods.output("image", "rm", "many", "busybox");
    const fetch = ["fetch", "--insecure-options=image", "oci-archive:/srv/many.tar"];
    const results = await Promise.all([1, 2, 3].map(() => pods.gantry(fetch)));
    assert.deepEqual(
      results.map(({ status }) => status),
      [0, 0, 0],
      JSON.stringify(results),
    );
    assert.equal(new Set(results.map(({ stdout }) => stdout)).size, 1);
    assert.equal(await pods.shell("ls /var/lib/gantry/images | wc -l; ls -A /var/lib/gantry/inbox"), "1");
    const removals = await Promise.all([1, 2].map(() => pods.gantry(["image", "rm", "many"])));
    const statuses = removals.map(({ status }) => status).sort();
    assert.ok(statuses[0] === 0 && [0, 4].includes(statuses[1] ?? 1), JSON.stringify(removals));
    const places = ["layers", "images", "tags", "inbox"].map((place) => `/var/lib/gantry/${place}`).join(" ");
    assert.equal(await pods.shell(`find ${places} -mindepth 1`), "");
    assert.equal(await remainsAtLast(pods), "");
  });
});
