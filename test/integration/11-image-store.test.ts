/** Images at rest, under a real systemd: verified and repaired, collected, exported and built, by root and by a user. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertRefusal, remains } from "../fixtures/faults.ts";
import { withFetchHost } from "../fixtures/fetch-host.ts";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";

/** systemd-analyze's exposure of the units that read layers: 0.0 is locked up, 10.0 is free. */
const EXPOSURE = 1.5;

const LAYER = 'cd /var/lib/gantry/layers/sha256-*[0-9a-f] && cd "$PWD"';

async function id({ shell }: PodHost): Promise<string> {
  return (await shell("basename /var/lib/gantry/images/*.json")).replace(".json", "");
}

test("verify finds what was changed, says where, changes nothing, and repairs when asked", async (t) => {
  await withPods(t, { name: "verify" }, async (pods) => {
    const { gantry, output, shell } = pods;
    assert.match(
      await output("image", "verify", "busybox"),
      /^localhost\/busybox:latest: verified, 1 layer with \d+ entries/,
    );
    await shell(`${LAYER}; echo 'evil:x:0:0::/:/bin/sh' >>etc/passwd; touch bin/added; rm etc/group`);
    const found = await gantry(["image", "verify", "busybox"]);
    assert.equal(found.status, 1);
    for (const text of [
      /layer sha256:[0-9a-f]{64}: "etc\/passwd" has other content \([0-9a-f]{64} instead of/,
      /"bin\/added" does not belong to the layer/,
      /"etc\/group" is missing/,
    ])
      assert.match(found.stdout, text);
    assert.match(
      found.stderr,
      /^gantry: image "localhost\/busybox:latest" is not what was imported\nhint: gantry image verify --repair/,
    );
    // Silent repair there is none.
    assert.equal((await gantry(["image", "verify", "--all"])).stdout, found.stdout);
    const json = JSON.parse((await gantry(["image", "verify", "--format=json", "busybox"])).stdout);
    assert.deepEqual([json.length, json[0].ok, json[0].image], [1, false, await id(pods)]);

    await output("run", "--detach", "--name=user", "busybox", "--", "sleep", "1000");
    const busy = await gantry(["image", "verify", "--repair", "busybox"]);
    assertRefusal(busy, 1, /layer sha256:[0-9a-f]{64} is used by pod/, "gantry rm");
    await output("rm", "--force", "user");
    assert.match(
      await output("image", "verify", "--repair", "busybox"),
      /localhost\/busybox:latest: repaired, 1 layer/,
    );
    assert.match(await output("image", "verify", "--all"), /verified/);
    assert.equal(
      await output("run", "busybox", "--", "grep", "-c", "evil", "/etc/passwd").catch(() => "0"),
      "0",
    );
    await output("gc", "--grace-period=0s");
    assert.equal(await remains(pods), "");
  });
});

test("a repair needs the source, and leaves the layer as it is without", async (t) => {
  await withPods(t, { name: "repair" }, async (pods) => {
    const { gantry, output, shell } = pods;
    await shell(`${LAYER}; chmod 4755 bin/busybox; mv /srv/busybox.tar /srv/away.tar`);
    const gone = await gantry(["image", "verify", "--repair", "busybox"]);
    assertRefusal(gone, 4, '"/srv/busybox.tar"');
    assert.match(
      (await gantry(["image", "verify", "busybox"])).stdout,
      /"bin\/busybox" has another mode \(4755 instead of 755\)/,
    );
    await shell("mv /srv/away.tar /srv/busybox.tar");
    assert.match(await output("image", "verify", "--repair", "busybox"), /repaired/);
    assert.equal(await remains(pods), "");
  });
});

test("an image of a registry is repaired by its digest; what can't be fetched stays as it was", async (t) => {
  await withFetchHost(t, { name: "repair-registry" }, async ({ host, id, fetch, behave, shell }) => {
    assert.equal((await fetch()).status, 0);
    const record = await shell("cat /var/lib/gantry/images/*.json");
    const changed =
      "for layer in /var/lib/gantry/layers/sha256-*[0-9a-f]; do ! [ -e $layer/layers/top ] || echo x >>$layer/layers/top; done";
    const { configDigest } = JSON.parse(record);
    await shell(`${changed}; echo x >>/var/lib/gantry/blobs/${configDigest.replace(":", "/")}`);
    await behave({ layer: "fail" });
    const failed = await host.exec(["gantry", "image", "verify", "--repair", id]);
    assert.deepEqual([failed.status, failed.stdout], [1, ""], failed.stderr);
    const still = await host.exec(["gantry", "image", "verify", id]);
    assert.equal(still.stdout.match(/"layers\/top" has other content/g)?.length, 3, still.stdout);
    await behave({});
    const repaired = await host.exec(["gantry", "image", "verify", "--repair", id]);
    assert.equal(repaired.status, 0, repaired.stderr);
    assert.match(repaired.stdout, /registry\.test\/app:1: repaired, 4 layers/);
    assert.equal(await shell("cat /var/lib/gantry/images/*.json"), record);
    assert.equal(await shell("ls -A /var/lib/gantry/inbox; find /var/lib/gantry -maxdepth 2 -name '.*'"), "");
  });
});

test("the bus verifies for whom polkit lets, and nobody else", async (t) => {
  await withPods(t, { name: "verify-bus" }, async (pods) => {
    const { host, shell } = pods;
    const refused = await host.user(["gantry", "image", "verify", "busybox"]);
    assert.equal(refused.status, 6, refused.stderr);
    assert.match(refused.stderr, /org\.gantry1\.image\.verify/);
    await shell(`cat >/etc/polkit-1/rules.d/10-verify.rules <<'END'
polkit.addRule(function (action, subject) {
  if (action.id === "org.gantry1.image.verify" && action.lookup("image") === "localhost/busybox:latest") return polkit.Result.YES;
});
END
systemctl restart polkit`);
    const verified = await host.user(["gantry", "image", "verify", "busybox"]);
    assert.deepEqual([verified.status, verified.stderr], [0, ""]);
    assert.match(verified.stdout, /localhost\/busybox:latest: verified/);
    await shell(`${LAYER}; rm etc/group`);
    const found = await host.user(["gantry", "image", "verify", "busybox"]);
    assert.equal(found.status, 1);
    assert.match(found.stdout, /"etc\/group" is missing/);
    // To repair is to fetch as well.
    const repair = await host.user(["gantry", "image", "verify", "--repair", "busybox"]);
    assert.deepEqual([repair.status, repair.stdout], [6, ""], repair.stderr);
  });
});

test("what reads layers is confined", async (t) => {
  await withPods(t, { name: "confined" }, async (pods) => {
    const { host, shell } = pods;
    for (const [words, program] of [
      [["image", "verify", "busybox"], "gantry-audit"],
      [["image", "export", "--overwrite", "busybox", "/dev/shm/x.aci"], "gantry-pack"],
    ] as const) {
      // What it executes is no part of how it is confined; this stays to be looked at.
      const path = `/usr/lib/gantry/${program}`;
      await shell(`rm ${path}; printf '#!/bin/sh\\nexec sleep 1000\\n' >${path}; chmod 755 ${path}`);
      const running = await host.spawn(["gantry", ...words]);
      const unit = await unitLike(pods, `${program}-*.service`);
      const report = await shell(`systemd-analyze security --no-pager ${unit} | grep 'Overall exposure'`);
      await shell(`systemctl kill --signal=KILL ${unit}; true`);
      await running.ended;
      const exposure = Number(/: ([\d.]+) /.exec(report)?.[1]);
      assert.ok(exposure <= EXPOSURE, report);
    }
    assert.equal(await shell("gantry gc; ls -A /dev/shm /var/lib/gantry/inbox | grep -v : || true"), "");
  });
});

async function unitLike({ shell }: PodHost, pattern: string): Promise<string> {
  for (let tries = 0; tries < 300; tries++) {
    const unit = await shell(`systemctl list-units --no-legend --plain '${pattern}' | cut -d' ' -f1`);
    if (unit !== "") return unit;
    await delay(10);
  }
  throw new Error(`no unit ${pattern} appeared`);
}

test("an image is packaged once, signed, and runs elsewhere", async (t) => {
  await withPods(t, { name: "build" }, async (pods) => {
    const { host, output, shell } = pods;
    const script = `set -e
      export GNUPGHOME=$HOME/keys; mkdir -m 700 $GNUPGHOME
      gpg --batch --quiet --passphrase '' --quick-gen-key tester@example.com ed25519 sign never
      gpg --armor --export >$HOME/key.asc
      mkdir -p $HOME/root/bin $HOME/root/etc; cp /bin/busybox $HOME/root/bin/sh; echo mine >$HOME/root/etc/motto
      cat >$HOME/manifest.json <<'END'
{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/motto","app":{"exec":["/bin/sh","-c","cat /etc/motto; stat -c %u /etc/motto"],"user":"0","group":"0"}}
END
      gantry image build --rootfs=$HOME/root --manifest=$HOME/manifest.json --name=example.com/motto:1 --sign-key=tester@example.com $HOME/motto.aci
      gpgconf --kill all; echo $HOME`;
    const built = await host.user(["sh", "-c", script]);
    assert.equal(built.status, 0, built.stderr);
    const lines = built.stdout.trim().split("\n");
    const home = lines.at(-1) ?? "";
    assert.match(lines[0] ?? "", /^sha512:[0-9a-f]{128}$/);
    assert.deepEqual(lines.slice(1, 3), [`${home}/motto.aci`, `${home}/motto.aci.asc`]);

    const refused = await host.exec(["gantry", "fetch", `${home}/motto.aci`]);
    assert.equal(refused.status, 5, refused.stderr);
    await output(
      "trust",
      "add",
      "--prefix=example.com/motto",
      "--skip-fingerprint-review",
      `${home}/key.asc`,
    );
    const fetched = await host.exec(["gantry", "fetch", `${home}/motto.aci`]);
    assert.equal(fetched.status, 0, fetched.stderr);
    assert.equal((await host.exec(["gantry", "run", "example.com/motto:1"])).stdout, "mine\n0\n");
    const inspected = JSON.parse(await output("image", "inspect", "example.com/motto:1"));
    assert.equal(inspected.verdict.kind, "signed");

    // Out again, in another store, by another format.
    await output("image", "export", "--format=oci", "example.com/motto:1", "/srv/motto.tar");
    await output(
      "--dir=/var/lib/gantry/elsewhere",
      "fetch",
      "--insecure-options=image",
      "oci-archive:/srv/motto.tar",
    );
    await shell(
      "cd /srv; gantry image export --format=oci example.com/motto:1 - | cmp - motto.tar; test ! -e -",
    );
    const full = await host.exec(["sh", "-c", "gantry image export example.com/motto:1 - >/dev/full"]);
    assert.deepEqual([full.status, full.stderr], [1, "gantry: standard output: no space left on device\n"]);
    await output("image", "render", "--rootfs-only", "example.com/motto:1", "/srv/motto");
    assert.equal(await shell("cat /srv/motto/etc/motto; stat -c '%U %a' /srv/motto/etc"), "mine\nroot 755");
    await output("fetch", "--insecure-options=image", "oci-archive:/srv/motto.tar");
    const again = await host.exec(["gantry", "run", "--insecure-options=image", "example.com/motto:1"]);
    assert.equal(again.stdout, "mine\n0\n", again.stderr);
    await shell("rm -r /var/lib/gantry/elsewhere");
    await output("gc", "--grace-period=0s");
    assert.match(await output("image", "gc", "--grace-period=0s"), /removed image/);
    assert.equal(await output("image", "list", "--no-legend"), "");
    assert.equal(
      await shell("find /var/lib/gantry/layers /var/lib/gantry/blobs -mindepth 1 -not -name 'sha*' | wc -l"),
      "0",
    );
  });
});

test("the store and what is written of an image may lie below /root and /home", async (t) => {
  await withPods(t, { name: "home" }, async ({ output, shell }) => {
    await shell("mkdir -p /home/op");
    for (const place of ["/root", "/home/op"]) {
      const store = `--dir=${place}/store`;
      await output(store, "fetch", "--insecure-options=image", "oci-archive:/srv/busybox.tar");
      for (const verb of ["extract", "render"]) {
        await output(store, "image", verb, "busybox", `${place}/${verb}`);
        await shell(`test -L ${place}/${verb}/rootfs/bin/sh || test -e ${place}/${verb}/rootfs/bin/sh`);
      }
      await output(store, "image", "verify", "busybox");
      await output(store, "image", "export", "busybox", `${place}/busybox.aci`);
    }
  });
});

test("a power cut during a repair leaves a store that opens, verifies and can be repaired", async (t) => {
  await withPods(t, { name: "repair-power", data: { ext4MiB: 64 } }, async (pods) => {
    const { host, output, shell, gantry } = pods;
    const image = await id(pods);
    for (const milliseconds of [300, 700, 1200]) {
      await shell(`${LAYER}; echo changed >>etc/passwd; sync -f /var/lib/gantry`);
      await host.spawn(["gantry", "image", "verify", "--repair", "busybox"]);
      await delay(milliseconds);
      await host.kill();
      await host.boot();
      await output("gc");
      assert.equal(await id(pods), image);
      const { status, stdout } = await gantry(["image", "verify", "busybox"]);
      assert.ok(status === 0 || /"etc\/passwd" has other content/.test(stdout), stdout);
      await output("image", "verify", "--repair", "busybox");
      assert.match(await output("image", "verify", "busybox"), /verified/);
    }
    // What the kernel keeps of a machine without power is the test host's matter.
    assert.equal(await shell("ls -A /var/lib/gantry/inbox; find /var/lib/gantry -maxdepth 2 -name '.*'"), "");
  });
});
