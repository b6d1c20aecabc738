/** What hostile apps, images and local users try against a host that runs pods. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withPods } from "../fixtures/pod-host.ts";

const SLEEP = ["busybox", "--", "sleep", "1000"];

test("a command entered into an app gets no more of the caller's files than to read or write them", async (t) => {
  await withPods(t, { name: "attack-exec" }, async ({ gantry, output, shell }) => {
    for (const userns of ["host", "pod"]) {
      await output("run", "--detach", `--name=${userns}`, `--userns=${userns}`, ...SLEEP);
      await shell("printf old >/srv/out; chmod 600 /srv/out");
      const facts = await shell(`
        gantry exec ${userns} chmod 600 /proc/self/fd/1 >/dev/null 2>/srv/error
        gantry exec -i ${userns} chmod 600 /proc/self/fd/0 </dev/zero 2>>/srv/error
        gantry exec ${userns} sh -c 'chmod 4755 /proc/self/fd/1; (: >/proc/self/fd/1); echo new' >>/srv/out 2>>/srv/error
        gantry exec -i ${userns} sh -c 'ls /proc/self/fd/0/ 2>&1; cd /proc/self/fd/0 && cat shadow' </etc >/srv/listing 2>>/srv/error
        grep -c root /srv/listing
        stat -c %a /dev/null /dev/zero /srv/out; cat /srv/out`).catch(String);
      assert.match(facts, /^0\n666\n666\n600\noldnew$/, userns);
      const piped = await gantry(["exec", "-i", userns, "cat"], { input: "in and out" });
      assert.deepEqual(piped, { status: 0, stdout: "in and out", stderr: "" });
      assert.equal(
        await shell(`echo through | gantry exec -i ${userns} cat >/srv/copy; cat /srv/copy`),
        "through",
      );
    }
  });
});

test("a user of the host sees nothing of pods but that they run", async (t) => {
  await withPods(t, { name: "attack-local" }, async ({ host, output, shell }) => {
    await output("run", "--detach", "--name=secret", "--set-env=SECRET=hunter2", ...SLEEP);
    const uuid = JSON.parse(await output("list", "--format=json"))[0].uuid;
    const user = async (script: string) => {
      const { stdout } = await host.exec([
        "setpriv",
        "--reuid=nobody",
        "--regid=nogroup",
        "--clear-groups",
        "sh",
        "-c",
        script,
      ]);
      return stdout.trim();
    };
    const places = `/var/lib/gantry/pods/${uuid} /run/gantry/pods/${uuid} /var/lib/gantry/layers /var/lib/gantry/images /var/lib/gantry/blobs /var/lib/gantry/inbox`;
    assert.equal(await user(`for d in ${places}; do [ -r $d ] || [ -x $d ] && echo $d; done; true`), "");
    assert.equal(await user("find /var/lib/gantry /run/gantry -writable 2>/dev/null"), "");
    assert.equal(
      await user("cat /var/lib/gantry/names/secret/pod.json /var/lib/gantry/ids/* 2>/dev/null"),
      "",
    );
    const bus = (member: string) => `busctl call org.gantry1 /org/gantry1 org.gantry1.Manager ${member}`;
    const told = await user(
      `${bus("DescribePods")}; ${bus("DescribePod s secret")}; systemctl show 'gantry-secret*'; systemctl cat 'gantry-secret*'; cat /run/systemd/transient/gantry-*`,
    );
    assert.match(told, /gantry-secret/);
    assert.doesNotMatch(told, /hunter2/);
    await user("systemctl stop gantry-secret.service; systemctl kill gantry-secret.busybox.service");
    assert.equal(await shell("systemctl is-active gantry-secret.busybox.service"), "active");
  });
});
