/** Mounts that begin as what the image has at their destination. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Mount } from "../../../src/stage1/plan.ts";
import { bootHost, type TestHost } from "../../host/host.ts";
import { type Change, makeLayer, type Pod, startPod } from "./pod.ts";

/* The attributes as the kernel has them: cap_kill=ep; u::rw,u:77:rw,g::r,m::rw,o::r; u::rwx,g::rx,g:34:rwx,m::rwx,o::rx. */
const CAPABLE = "0x0100000220000000000000000000000000000000";
const ACCESS = `0x02000000${"01000600ffffffff"}${"020006004d000000"}${"04000400ffffffff"}${"10000600ffffffff"}${"20000400ffffffff"}`;
const DEFAULT = `0x02000000${"01000700ffffffff"}${"04000500ffffffff"}${"0800070022000000"}${"10000700ffffffff"}${"20000500ffffffff"}`;
const LAYERS = "/var/lib/gantry/layers";

for (const userns of ["pod", "host"] as const) {
  describe(`copied volumes, user namespace ${userns}`, () => {
    let host: TestHost;
    let pod: Pod;
    const sh = async (script: string): Promise<string> => {
      const done = await host.exec(["sh", "-ec", script]);
      assert.equal(done.status, 0, done.stderr);
      return done.stdout.trim();
    };
    const source = (name: string) => `${pod.directory}/volumes/${name}`;
    const copied = (destination: string, name: string, ...more: string[]): Mount => ({
      ...{ destination, type: "bind", source: source(name) },
      options: ["bind", "copy", ...(userns === "pod" ? ["idmap"] : []), ...more],
    });
    const withLayers =
      (layers: readonly string[], ...mounts: Mount[]): Change =>
      (plan) => {
        plan.gantry.layers.push(...layers.map((name) => `${LAYERS}/${name}`));
        plan.mounts.push(...mounts);
      };
    before(async () => {
      host = await bootHost({ name: `copy-${userns}`, data: { ext4MiB: 128 } });
      await makeLayer(host);
      pod = await startPod(host, { userns });
      await sh(`mkdir -m 0700 ${pod.directory}/volumes`);
    });
    after(async () => {
      await host[Symbol.asyncDispose]();
    });

    test("everything a layer can carry comes along, the layers' order obeyed", async () => {
      await sh(`mkdir -p ${LAYERS}/one/data/sub/deep ${LAYERS}/two/data/sub; cd ${LAYERS}/one/data
        echo first >file; ln file sub/same; ln -s /etc/passwd absolute; ln -s ../../../../etc/shadow up; mkfifo -m 620 pipe; mknod null c 1 3
        echo gone >gone; echo hidden >sub/deep/hidden; echo old >changed
        truncate -s 8M sparse; printf end | dd of=sparse bs=1 seek=4194304 conv=notrunc 2>/dev/null
        printf '#!/bin/sh\\n' >setid; chown 33:34 setid; chmod 6755 setid; setfattr -n security.capability -v ${CAPABLE} setid
        setfattr -n user.note -v kept file; setfattr -n system.posix_acl_access -v ${ACCESS} file
        chown -h 12:13 absolute pipe; touch -d @4000000 pipe setid; touch -d @1000000.5 file; touch -h -d @2000000 absolute
        chown 33:34 . ; chmod 2750 . ; touch -d @3000000 sub .
        cd ${LAYERS}/two/data; mknod gone c 0 0; echo new >changed; mkdir sub/deep; setfattr -n user.overlay.opaque -v y sub/deep; setfattr -n system.posix_acl_default -v ${DEFAULT} sub; echo seen >sub/deep/seen
        touch -d @3000000 sub .; chown 33:34 .; chmod 2750 .`);
      const seen = await pod.shell(
        "cd /data; cat changed sub/deep/*; ls -A; stat -c '%n %u:%g %a %Y %h' . file sub sub/same absolute pipe setid",
        withLayers(["one", "two"], copied("/data", "all")),
      );
      assert.deepEqual(seen.split("\n"), [
        ...["new", "seen", "absolute", "changed", "file", "pipe", "setid", "sparse", "sub", "up"],
        ...[". 33:34 2750 3000000 3", "file 0:0 664 1000000 2", "sub 0:0 755 3000000 3"],
        ...["sub/same 0:0 664 1000000 2", "absolute 12:13 777 2000000 1"],
        ...["pipe 12:13 620 4000000 1", "setid 33:34 6755 4000000 1"],
      ]);
      const disk =
        await sh(`cd ${source("all")}; stat -c '%u:%g %a' . setid; getfattr --only-values -n user.note file; echo
        getfattr -e hex -m . -d file setid sub | grep -E '^(system|security.cap)'; readlink absolute up
        test file -ef sub/same && echo linked; cmp sparse ${LAYERS}/one/data/sparse && stat -c %b sparse`);
      const [blocks, ...facts] = disk.split("\n").reverse();
      assert.deepEqual(facts.reverse(), [
        ...["33:34 2750", "33:34 6755", "kept", `system.posix_acl_access=${ACCESS}`],
        ...[`security.capability=${CAPABLE}`, `system.posix_acl_default=${DEFAULT}`],
        ...["/etc/passwd", "../../../../etc/shadow", "linked"],
      ]);
      assert.ok(Number(blocks) <= 16, `${blocks} blocks of a file with 3 bytes of data`);
    });

    test("what the app makes of it stays, and is not copied again", async () => {
      await sh(
        `mkdir -p ${LAYERS}/kept/kept; echo image >${LAYERS}/kept/kept/a; echo image >${LAYERS}/kept/kept/b`,
      );
      const change = withLayers(["kept"], copied("/kept", "kept"));
      assert.equal(await pod.shell("rm /kept/a; echo app >/kept/b; ls /kept", change), "b");
      assert.equal(await pod.shell("ls /kept; cat /kept/b; touch /kept/new", change), "b\napp");
      assert.equal(await sh(`stat -c %u ${source("kept")}/new`), "0", "on disk as the app sees it");
      assert.equal(await sh(`cat ${LAYERS}/kept/kept/*`), "image\nimage");
    });

    test("a volume in a volume, read-only ones, and a destination that the image lacks", async () => {
      await sh(
        `mkdir -p ${LAYERS}/nest/outer/inner ${LAYERS}/nest/ro; echo o >${LAYERS}/nest/outer/o; echo i >${LAYERS}/nest/outer/inner/i; echo r >${LAYERS}/nest/ro/r`,
      );
      const text = await pod.shell(
        "cat /outer/o /outer/inner/i /ro/r; touch /ro/x 2>&1; stat -c '%u %a' /lacking; ls -A /lacking; touch /outer/inner/new",
        withLayers(
          ["nest"],
          ...[copied("/outer", "outer"), copied("/outer/inner", "inner")],
          ...[copied("/ro", "ro", "ro"), copied("/lacking", "lacking")],
        ),
      );
      assert.equal(text, "o\ni\nr\ntouch: /ro/x: Read-only file system\n0 755");
      assert.equal(
        await sh(
          `ls ${source("inner")}; ls ${source("outer")}/inner; ls -A ${pod.directory}/volumes | grep '^[.]' || true`,
        ),
        "i\nnew\ni",
      );
    });

    test("no link of the image leads out of it", async () => {
      await sh(`mkdir -p /srv/secret ${LAYERS}/links/real; echo secret >/srv/secret/s; echo inside >${LAYERS}/links/real/in
        ln -s /real ${LAYERS}/links/absolute; ln -s ../../../../../srv ${LAYERS}/links/up`);
      const change = withLayers(["links"], copied("/absolute", "absolute"), copied("/up/secret", "secret"));
      assert.equal(
        await pod.shell("ls -A /real /srv/secret", (plan) => {
          change(plan);
          plan.mounts.push({ destination: "/srv", type: "tmpfs", source: "t", options: [] });
          plan.mounts = [...plan.mounts.slice(0, -3), ...plan.mounts.slice(-1), ...plan.mounts.slice(-3, -1)];
        }),
        "/real:\nin\n/srv/secret:",
      );
    });

    test("what a killed start left is made anew, and a full disk is named and left as it was", async () => {
      await sh(`mkdir -p ${LAYERS}/big/big; echo whole >${LAYERS}/big/big/a; dd if=/dev/zero of=${LAYERS}/big/big/zeros bs=1M count=20 2>/dev/null
        mkdir -p ${pod.directory}/volumes/.big/deep/er; echo half >${pod.directory}/volumes/.big/deep/er/b
        dd if=/dev/zero of=/var/lib/gantry/ballast bs=1M 2>/dev/null || truncate -s -4M /var/lib/gantry/ballast`);
      const change = withLayers(["big"], copied("/big", "big"));
      const free = async () => await sh("stat -fc %f /var/lib/gantry");
      const full = await pod.finish("full", ["true"], change);
      assert.equal(full["ExecMainStatus"], "226");
      assert.match(full["StatusText"] ?? "", /^mounts: copy of \/big\/zeros: No space left on device/);
      assert.equal(await sh(`ls -A ${pod.directory}/volumes | grep big || true`), "");
      assert.ok(Number(await free()) >= 1000, "what was copied is gone again");
      await sh("rm /var/lib/gantry/ballast");
      assert.equal(await pod.shell("ls /big; cat /big/a", change), "a\nzeros\nwhole");
    });

    test("a tree as deep as a path can be", async () => {
      await sh(
        `cd ${LAYERS}; mkdir -p deep/deep; cd deep/deep; for i in $(seq 600); do mkdir d; cd d; done; echo bottom >file`,
      );
      const walk = "cd /deep; n=0; while test -d d; do cd d; n=$((n+1)); done; echo $n; cat file; ulimit -n";
      const text = await pod.shell(walk, withLayers(["deep"], copied("/deep", "deep")));
      assert.equal(text, "600\nbottom\n1024");
    });

    test("a deep tree that a killed start left is made anew", async () => {
      await sh(`mkdir -p ${LAYERS}/shallow/shallow; echo whole >${LAYERS}/shallow/shallow/a; mkdir ${pod.directory}/volumes/.shallow
        cd ${pod.directory}/volumes/.shallow; for i in $(seq 1500); do mkdir d; cd -P d; done`);
      const text = await pod.shell(
        "ls /shallow; ulimit -n",
        withLayers(["shallow"], copied("/shallow", "shallow")),
      );
      assert.equal(text, "a\n1024");
    });

    test("an image of as many layers as the kernel takes", async () => {
      const names = Array.from({ length: 499 }, (_, index) => `many${index}`);
      await sh(`cd ${LAYERS}; for i in $(seq 0 498); do mkdir -p many$i/many; echo $i >many$i/many/$i; done`);
      assert.equal(await pod.shell("ls /many | wc -l", withLayers(names, copied("/many", "many"))), "499");
    });

    test("another start's directory stays what it is, whoever owns it", async () => {
      await sh(
        `mkdir -p ${LAYERS}/owned/owned; chown 5:6 ${LAYERS}/owned/owned; mkdir -m 0711 ${source("owned")}; chown 7:8 ${source("owned")}`,
      );
      const text = await pod.shell(
        "stat -c '%u:%g %a' /owned",
        withLayers(["owned"], copied("/owned", "owned")),
      );
      assert.equal(text, "7:8 711");
    });
  });
}
