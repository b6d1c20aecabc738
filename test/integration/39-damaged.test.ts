/** Documents of a pod that cannot be read: one pod's damage is not the others'. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "../../src/manager/manager.ts";
import { leftovers, withPods } from "../fixtures/pod-host.ts";

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
