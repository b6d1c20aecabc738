/** The app's root: layers, volumes, users, working directory. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { bootHost, type TestHost } from "../../host/host.ts";
import { BASE, makeLayer, type Pod, startPod } from "./pod.ts";

for (const userns of ["pod", "host"] as const) {
  describe(`root, user namespace ${userns}`, () => {
    let host: TestHost;
    let pod: Pod;
    const sh = async (script: string): Promise<string> => {
      const done = await host.exec(["sh", "-ec", script]);
      assert.equal(done.status, 0, done.stderr);
      return done.stdout.trim();
    };
    before(async () => {
      host = await bootHost({ name: `root-${userns}` });
      await makeLayer(host);
      pod = await startPod(host, { userns });
    });
    after(async () => {
      await host[Symbol.asyncDispose]();
    });

    test("two hundred layers are one root, the last on top", async () => {
      await sh(`for i in $(seq 200); do d=/var/lib/gantry/layers/l$i; mkdir -p $d; echo $i >$d/top; echo $i >$d/own$i; done
        mknod /var/lib/gantry/layers/l200/own7 c 0 0`);
      const text = await pod.shell("cat /top /own1 /own199; ls /own7 2>&1; id -u", (plan) => {
        for (let index = 1; index <= 200; index++)
          plan.gantry.layers.push(`/var/lib/gantry/layers/l${index}`);
      });
      assert.equal(text, "200\n1\n199\nls: /own7: No such file or directory\n0");
    });

    test("an opaque directory hides what is below it", async () => {
      await sh(`a=/var/lib/gantry/layers/low b=/var/lib/gantry/layers/high; mkdir -p $a/d $b/d; echo 1 >$a/d/hidden; echo 2 >$b/d/seen
        setfattr -n user.overlay.opaque -v y $b/d`);
      const text = await pod.shell("ls /d", (plan) => {
        plan.gantry.layers.push("/var/lib/gantry/layers/low", "/var/lib/gantry/layers/high");
      });
      assert.equal(text, "seen");
    });

    test("what an app writes survives its restart and leaves the layer alone", async () => {
      await pod.finish("kept", ["sh", "-c", "echo changed >/etc/passwd; rm /bin/echo"]);
      const end = await pod.finish("kept2", ["sh", "-c", "cat /etc/passwd; test ! -e /bin/echo"], (plan) => {
        plan.gantry.upper = plan.gantry.upper.replace("kept2", "kept");
        plan.gantry.work = plan.gantry.work.replace("kept2", "kept");
      });
      assert.equal(end["ExecMainStatus"], "0");
      assert.equal((await pod.log("kept2")).trim(), "changed");
      assert.match(await sh("cat /var/lib/gantry/layers/sha256-test/etc/passwd"), /^root:/);
    });

    test("a missing layer is an error that names it", async () => {
      const end = await pod.finish("nolayer", ["true"], (plan) => {
        plan.gantry.layers.push("/var/lib/gantry/layers/sha256-gone");
      });
      assert.equal(end["ExecMainStatus"], "226");
      assert.match(
        end["StatusText"] ?? "",
        /\/var\/lib\/gantry\/layers\/sha256-gone: No such file or directory/,
      );
    });

    test("a read-only root is read-only, but for its mounts", async () => {
      const text = await pod.shell(
        "touch /x 2>&1; touch /dev/shm/x && echo ok; mkdir /dev/sub && echo ok",
        (plan) => {
          plan.root.readonly = true;
        },
      );
      assert.equal(text, "touch: /x: Read-only file system\nok\nok");
    });

    test("a volume is bound where it is missing, and carries neither devices nor setuid", async () => {
      await sh(
        "mkdir -p /srv/volume/sub; echo content >/srv/volume/file; chmod 777 /srv/volume; chown 33:34 /srv/volume/file",
      );
      const text = await pod.shell(
        "cat /new/deep/volume/file; grep /new/deep /proc/self/mountinfo; echo x >/new/deep/volume/made",
        (plan) => {
          plan.mounts.push({
            destination: "/new/deep/volume",
            type: "bind",
            source: "/srv/volume",
            options: ["rbind"],
          });
        },
      );
      assert.match(text, /^content\n/);
      assert.match(text, / \/new\/deep\/volume rw,nosuid,nodev/);
      assert.equal(await sh("stat -c %u /srv/volume/made"), String(userns === "pod" ? BASE : 0));
    });

    test("a read-only volume is read-only all the way down", async () => {
      await sh(
        "mkdir -p /srv/tree/sub; mountpoint -q /srv/tree/sub || mount -t tmpfs -o mode=777 below /srv/tree/sub",
      );
      const text = await pod.shell("touch /v/x 2>&1; touch /v/sub/x 2>&1; true", (plan) => {
        plan.mounts.push({ destination: "/v", type: "bind", source: "/srv/tree", options: ["rbind", "ro"] });
      });
      assert.equal(text, "touch: /v/x: Read-only file system\ntouch: /v/sub/x: Read-only file system");
      const flat = await pod.shell(
        "touch /v/sub/x 2>&1; grep -c ' /v/' /proc/self/mountinfo; true",
        (plan) => {
          plan.mounts.push({ destination: "/v", type: "bind", source: "/srv/tree", options: ["bind", "ro"] });
        },
      );
      assert.match(flat, /Read-only file system\n0$/);
    });

    test("a file is bound on a file", async () => {
      await sh("echo from-host >/srv/config; chmod 644 /srv/config");
      const text = await pod.shell("cat /etc/passwd /etc/new.conf", (plan) => {
        for (const destination of ["/etc/passwd", "/etc/new.conf"]) {
          plan.mounts.push({ destination, type: "bind", source: "/srv/config", options: ["bind", "ro"] });
        }
      });
      assert.equal(text, "from-host\nfrom-host");
    });

    test("the target of a volume cannot lead out of the root", async () => {
      await sh(
        "mkdir -p /var/lib/gantry/layers/evil/links; ln -sfn ../../../../srv /var/lib/gantry/layers/evil/links/up; ln -sfn /srv/outside /var/lib/gantry/layers/evil/links/absolute; mkdir -p /srv/outside",
      );
      const text = await pod
        .shell("grep -oE ' /srv[^ ]* ' /proc/self/mountinfo; ls -d /srv/inside /srv/outside", (plan) => {
          plan.gantry.layers.push("/var/lib/gantry/layers/evil");
          plan.mounts.push({ destination: "/srv", type: "tmpfs", source: "t", options: [] });
          plan.mounts.push({
            destination: "/links/up/inside",
            type: "bind",
            source: "/srv/volume",
            options: ["bind"],
          });
        })
        .catch(String);
      assert.match(text, /\/srv\/inside/);
      const dangling = await pod.finish("dangling", ["true"], (plan) => {
        plan.gantry.layers.push("/var/lib/gantry/layers/evil");
        plan.mounts.push({
          destination: "/links/absolute",
          type: "bind",
          source: "/srv/volume",
          options: ["bind"],
        });
      });
      assert.equal(dangling["ExecMainStatus"], "226");
      assert.match(dangling["StatusText"] ?? "", /\/links\/absolute: a symbolic link to nothing/);
      assert.equal(await sh("ls -A /srv/outside; ls -d /srv/inside 2>/dev/null || true"), "");
    });

    test("a missing source, and one behind a symbolic link, are errors that name it", async () => {
      const missing = await pod.finish("nosource", ["true"], (plan) => {
        plan.mounts.push({ destination: "/v", type: "bind", source: "/srv/gone", options: ["bind"] });
      });
      assert.match(missing["StatusText"] ?? "", /^mounts: \/srv\/gone: No such file or directory/);
      await sh("ln -sfn volume /srv/link");
      const link = await pod.finish("linksource", ["true"], (plan) => {
        plan.mounts.push({ destination: "/v", type: "bind", source: "/srv/link/sub", options: ["bind"] });
      });
      assert.match(link["StatusText"] ?? "", /^mounts: \/srv\/link\/sub: a symbolic link/);
      assert.equal(link["ExecMainStatus"], "226");
    });

    test("a volume below /sys or /proc comes after them", async () => {
      const text = await pod.shell("ls /sys/fs/cgroup", (plan) => {
        plan.mounts = plan.mounts.filter((mount) => mount.type !== "cgroup");
        plan.mounts.push({
          destination: "/sys/fs/cgroup",
          type: "bind",
          source: "/srv/tree",
          options: ["bind"],
        });
      });
      assert.equal(text, "sub");
    });

    test("a missing working directory fails, or is made when the plan says so", async () => {
      const refused = await pod.finish("nocwd", ["true"], (plan) => {
        plan.process.cwd = "/no/such";
      });
      assert.equal(refused["ExecMainStatus"], "200");
      assert.match(refused["StatusText"] ?? "", /\/no\/such: No such file or directory/);
      const text = await pod.shell("pwd; stat -c '%u %a' .", (plan) => {
        plan.process.cwd = "/made/deep";
        plan.gantry.createCwd = true;
      });
      assert.equal(text, "/made/deep\n0 755");
    });

    test("a working directory is entered as the user", async () => {
      await sh(
        "mkdir -p /var/lib/gantry/layers/closed/closed; chmod 700 /var/lib/gantry/layers/closed/closed",
      );
      const end = await pod.finish("closed", ["true"], (plan) => {
        plan.gantry.layers.push("/var/lib/gantry/layers/closed");
        plan.process.cwd = "/closed";
        plan.process.user.uid = 33;
        plan.process.capabilities = {
          bounding: [],
          effective: [],
          permitted: [],
          inheritable: [],
          ambient: [],
        };
      });
      assert.equal(end["ExecMainStatus"], "200");
      assert.match(end["StatusText"] ?? "", /\/closed: Permission denied/);
    });

    for (const [rules, user, group, expected] of [
      ["oci", "", "", "uid=0(root) gid=0(root) groups=0(root)|/root"],
      ["oci", "www", "", "uid=33(www) gid=34(web) groups=4(log),34(web),77(extra)|/home/www"],
      ["oci", "33", "", "uid=33(www) gid=34(web) groups=34(web)|/home/www"],
      ["oci", "www:log", "", "uid=33(www) gid=4(log) groups=4(log)|/home/www"],
      ["oci", "www:99", "", "uid=33(www) gid=99 groups=99|/home/www"],
      ["oci", "4711", "", "uid=4711 gid=0(root) groups=0(root)|/"],
      ["oci", "4711:4712", "", "uid=4711 gid=4712 groups=4712|/"],
      ["appc", "1000", "0", "uid=1234(1000) gid=0(root) groups=0(root)|/home/numeric"],
      ["appc", "www", "web", "uid=33(www) gid=34(web) groups=34(web)|/home/www"],
      ["appc", "/home/www", "/home/www", "uid=33(www) gid=34(web) groups=34(web)|/home/www"],
    ] as const) {
      test(`${rules} user "${user}" group "${group}"`, async () => {
        const text = await pod.shell("id; echo $HOME", (plan) => {
          plan.gantry.user = { rules, user, group };
        });
        assert.equal(text.replace("\n", "|"), expected);
      });
    }

    for (const [rules, user, group, status, sentence] of [
      ["oci", "nobody", "", "217", 'user "nobody": not in the image\'s /etc/passwd'],
      ["oci", "www:nogroup", "", "216", 'group "nogroup": not in the image\'s /etc/group'],
      ["appc", "/no/such", "0", "217", "owner of /no/such: No such file or directory"],
      ["appc", "root", "nogroup", "216", 'group "nogroup"'],
      ["oci", "99999999999", "", "217", 'user "99999999999"'],
    ] as const) {
      test(`${rules} user "${user}" group "${group}" is refused`, async () => {
        const end = await pod.finish(`user${Math.random().toString(36).slice(2)}`, ["true"], (plan) => {
          plan.gantry.user = { rules, user, group };
        });
        assert.equal(end["ExecMainStatus"], status);
        assert.ok(end["StatusText"]?.includes(sentence), end["StatusText"]);
      });
    }

    if (userns === "pod") {
      test("idmap shows a volume's ids as they are on disk", async () => {
        const source = "/var/lib/gantry/mapped";
        await sh(`mkdir -p ${source}; echo x >${source}/file; chown 33:34 ${source} ${source}/file`);
        const text = await pod.shell("stat -c %u:%g /v/file; touch /v/new; chown 33:33 /v/new", (plan) => {
          plan.mounts.push({ destination: "/v", type: "bind", source, options: ["bind", "idmap"] });
        });
        assert.equal(text, "33:34");
        assert.equal(await sh(`stat -c %u:%g ${source}/new`), "33:33");
      });

      test("what is missing in a mapped volume is made there, and is the app's root's", async () => {
        const source = "/var/lib/gantry/outer";
        await sh(
          `mkdir -p /var/lib/gantry/inner; mkdir -m 0700 ${source}; chown 33:34 ${source}; echo x >/var/lib/gantry/inner/file`,
        );
        const text = await pod.shell(
          "stat -c '%u:%g %a %n' . /v/deep /v/deep/er /v/file; cat /v/deep/er/file /v/file",
          (plan) => {
            const mapped = (destination: string, from: string) =>
              plan.mounts.push({ destination, type: "bind", source: from, options: ["bind", "idmap"] });
            mapped("/v", source);
            mapped("/v/deep/er", "/var/lib/gantry/inner");
            mapped("/v/file", "/var/lib/gantry/inner/file");
            plan.process.cwd = "/v/work/dir";
            plan.gantry.createCwd = true;
          },
        );
        assert.equal(text, "0:0 755 .\n0:0 755 /v/deep\n0:0 755 /v/deep/er\n0:0 644 /v/file\nx\nx");
        const disk = await sh(`cd ${source}; stat -c '%u:%g %a %F' deep deep/er file work work/dir`);
        const directory = "0:0 755 directory";
        assert.equal(
          disk,
          [directory, directory, "0:0 644 regular empty file", directory, directory].join("\n"),
        );
      });

      test("idmap on a file system that cannot is an error that says so", async () => {
        // The host's root is an overlay, which Linux cannot map.
        const end = await pod.finish("nomap", ["true"], (plan) => {
          plan.mounts.push({
            destination: "/v",
            type: "bind",
            source: "/srv/volume",
            options: ["bind", "idmap"],
          });
        });
        assert.equal(end["ExecMainStatus"], "226");
        assert.match(
          end["StatusText"] ?? "",
          /\/srv\/volume: its file system cannot be mounted with mapped ids: --userns=host, or another file system$/,
        );
      });

      test("an id outside of the pod's range is refused", async () => {
        const end = await pod.finish("range", ["true"], (plan) => {
          plan.gantry.user = { rules: "oci", user: "65536", group: "" };
        });
        assert.equal(end["ExecMainStatus"], "217");
        assert.match(end["StatusText"] ?? "", /65536 is outside of the pod's 65536 ids/);
      });
    }
  });
}
