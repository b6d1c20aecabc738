/** Docker's VOLUME: a volume that nobody named begins as what the image has there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { importImage, leftovers, type PodHost, withPods } from "../fixtures/pod-host.ts";
import { tarOf } from "../fixtures/tar.ts";
import { busyboxTar } from "../fixtures/trees.ts";
import { until } from "../fixtures/until.ts";

const WEB = { uid: 1000, gid: 1000 };

/** /data belongs to the image's user "web" and has content of two layers; /cache is another volume's place, and not in the image. */
async function importDatabase({ host }: PodHost): Promise<void> {
  const first = await tarOf([
    { name: "data/", type: "directory", mode: 0o750, ...WEB },
    { name: "data/seed", mode: 0o600, ...WEB, body: "from the image\n", xattrs: { "user.note": "kept" } },
    { name: "data/gone", mode: 0o644, body: "gone\n" },
    { name: "data/link", type: "symlink", linkname: "/etc/passwd" },
  ]);
  const second = await tarOf([
    { name: "data/", type: "directory", mode: 0o750, ...WEB },
    { name: "data/.wh.gone", mode: 0 },
  ]);
  const config = { User: "web", Volumes: { "/data": {}, "/cache": {} }, Cmd: ["/bin/sh"] };
  await importImage(host, "database", { layers: [await busyboxTar(), first, second], config });
}

const LIST = "cd /data; stat -c '%n %U %a' . seed; cat seed; ls -A; echo more >>seed; touch new";
const LISTED = ". web 750\nseed web 600\nfrom the image\nlink\nseed";

for (const userns of ["pod", "host"]) {
  test(`an image's volumes have its content, owner and mode; user namespace ${userns}`, async (t) => {
    await withPods(t, { name: `image-volumes-${userns}` }, async (pods) => {
      const { output, shell, gantry } = pods;
      await importDatabase(pods);
      const flags = userns === "host" ? ["--userns=host"] : [];
      const first = await gantry(["run", ...flags, "--name=one", "database", "--", "sh", "-c", LIST]);
      assert.equal(first.status, 0, first.stderr);
      assert.equal(first.stdout.trim(), LISTED);
      assert.match(
        first.stderr,
        /app "database": no volume for mount point "\/data", one with the image's content is made/,
      );
      assert.equal(
        await output("run", ...flags, "--name=two", "database", "--", "sh", "-c", LIST),
        LISTED,
        "of each pod's own",
      );
      assert.equal(
        await output(
          "run",
          ...flags,
          "database",
          "--user=0",
          "--readonly-rootfs=true",
          "--",
          "sh",
          "-c",
          "stat -c '%u %a' /cache; touch /cache/x",
        ),
        "0 755",
      );
      await output("gc", "--grace-period=0s");
      assert.equal(await leftovers(pods), "");
      assert.equal(
        await shell("cat /var/lib/gantry/layers/*/data/seed"),
        "from the image",
        "the layer is what it was",
      );
    });
  });
}

test("what the app made of its volume outlives its restarts, and goes with the pod", async (t) => {
  await withPods(t, { name: "volume-life" }, async (pods) => {
    const { output, shell } = pods;
    const seen = (script: string, text: string) =>
      until(
        () => output("exec", "web", "--", "sh", "-c", script),
        (now) => now === text,
      );
    await importDatabase(pods);
    const serve = "echo more >>/data/seed; rm -f /data/link; exec sleep 1000";
    await output("run", "--detach", "--name=web", "database", "--", "sh", "-c", serve);
    await seen("cat /data/seed; ls /data", "from the image\nmore\nseed");
    await shell("systemctl restart gantry-web.database.service");
    await seen("cat /data/seed; ls /data", "from the image\nmore\nmore\nseed");
    await output("restart", "web");
    await seen("cat /data/seed", "from the image\nmore\nmore\nmore");
    await output("rm", "--force", "web");
    assert.equal(await leftovers(pods), "");
  });
});

test("a volume that is named keeps to what it is: empty, or the host's", async (t) => {
  await withPods(t, { name: "volume-named" }, async (pods) => {
    const { output, shell } = pods;
    await importDatabase(pods);
    const empty = ["--volume=d,kind=empty,uid=1000,gid=1000", "--mount=volume=d,target=/data"];
    assert.equal(await output("run", ...empty, "database", "--", "ls", "-A", "/data"), "");
    await shell("mkdir -p /run/data && echo host >/run/data/own");
    const host = ["--volume=d,kind=host,source=/run/data,readOnly=true", "--mount=volume=d,target=/data"];
    assert.equal(await output("run", ...host, "database", "--", "ls", "-A", "/data"), "own");
    assert.equal(await shell("ls -A /run/data"), "own");
  });
});

test("where the disk cannot hold a volume's content, the start fails, says which, and leaves the space free", async (t) => {
  await withPods(t, { name: "volume-full", data: { ext4MiB: 64 } }, async (pods) => {
    const { host, gantry, output, shell } = pods;
    const big = await tarOf([{ name: "data/zeros", mode: 0o644, body: Buffer.alloc(20 << 20, 1) }]);
    await importImage(host, "big", {
      layers: [await busyboxTar(), big],
      config: { Volumes: { "/data": {} }, Cmd: ["/bin/sh"] },
    });
    await shell(
      "head -c $(($(stat -fc '%f * %S' /var/lib/gantry) - 10485760)) /dev/zero >/var/lib/gantry/ballast",
    );
    const before = Number(await shell("stat -fc %f /var/lib/gantry"));
    const { status, stderr } = await gantry(["run", "--name=web", "big", "--", "true"]);
    assert.equal(status, 125, stderr);
    assert.match(stderr, /copy of \/data\/zeros: No space left on device/);
    assert.ok(before - Number(await shell("stat -fc %f /var/lib/gantry")) < 200, "what was copied is gone");
    await shell("rm /var/lib/gantry/ballast");
    assert.equal(
      await output("run", "--name=next", "big", "--", "stat", "-c", "%s", "/data/zeros"),
      String(20 << 20),
    );
  });
});
