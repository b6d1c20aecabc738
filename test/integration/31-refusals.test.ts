/** What is asked for and cannot be: each refusal has its status, names its object, and leaves nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertRefusal, cleanUp, remains, remainsAtLast } from "../fixtures/faults.ts";
import { busyboxImage } from "../fixtures/images.ts";
import { importImage, type PodHost, withPods } from "../fixtures/pod-host.ts";
import { tarOf } from "../fixtures/tar.ts";

type Case = { readonly words: readonly string[]; readonly status: number; readonly text: string | RegExp };

/** Programs that cannot run, each in its own way. */
const PROGRAMS: readonly Case[] = [
  { words: ["/nope"], status: 127, text: 'app "busybox": exec: /nope: not found' },
  { words: ["nope"], status: 127, text: "exec: nope: not found in PATH" },
  { words: ["/etc/passwd"], status: 126, text: "exec: /etc/passwd: " },
  { words: ["/srv/plain"], status: 126, text: "exec: /srv/plain: " },
  { words: ["/"], status: 126, text: "exec: /: is a directory" },
  { words: ["/srv/orphan"], status: 127, text: /exec: \/srv\/orphan: .*\/no\/interpreter/ },
  { words: ["/srv/garbage"], status: 126, text: "exec: /srv/garbage: " },
  { words: ["/srv/loop"], status: 126, text: "exec: /srv/loop: " },
];

async function importOdd(pods: PodHost): Promise<void> {
  const odd = await tarOf([
    { name: "srv/plain", mode: 0o644, body: "#!/bin/sh\n" },
    { name: "srv/orphan", mode: 0o755, body: "#!/no/interpreter\n" },
    {
      name: "srv/garbage",
      mode: 0o755,
      body: Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3]).toString("latin1"),
    },
    { name: "srv/loop", type: "symlink", linkname: "loop" },
  ]);
  const { layers } = await busyboxImage();
  await importImage(pods.host, "odd", { layers: [...layers, odd], config: { Cmd: ["/bin/sh"] } });
}

test("a program that cannot run fails the start with the shell's status and its name", async (t) => {
  await withPods(t, { name: "programs" }, async (pods) => {
    await importOdd(pods);
    for (const { words, status, text } of PROGRAMS) {
      const result = await pods.gantry(["run", "odd", "--name=busybox", "--", ...words]);
      assertRefusal(result, status, text);
      assert.match(result.stderr, /^gantry: pod "[0-9a-f]{32}", app "busybox": /);
    }
    const detached = await pods.gantry(["run", "--detach", "--name=d", "busybox", "--", "/nope"]);
    assertRefusal(detached, 1, 'pod "d", app "busybox": exec: /nope: not found');
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
  });
});

/** Users, directories and volumes that are not there when the app starts. */
const AT_START: readonly Case[] = [
  { words: ["busybox", "--user=nobody-here"], status: 125, text: '"nobody-here"' },
  { words: ["busybox", "--user=web:no-group"], status: 125, text: "no-group" },
  { words: ["busybox", "--group=no-group"], status: 125, text: "no-group" },
  { words: ["busybox", "--working-dir=/etc/passwd/x"], status: 125, text: "/etc/passwd/x" },
];

test("a user, group or directory that is missing fails the start and names itself", async (t) => {
  await withPods(t, { name: "missing" }, async (pods) => {
    for (const { words, status, text } of AT_START) {
      const result = await pods.gantry(["run", ...words, "--", "true"]);
      assertRefusal(result, status, text, 'app "busybox"');
    }
    // Docker's images have their directory made for them.
    assert.equal(await pods.output("run", "busybox", "--working-dir=/made", "--", "pwd"), "/made");
    await pods.shell("mkdir /srv/volume");
    const volume = ["--volume=v,kind=host,source=/srv/volume", "--mount=volume=v,target=/v"];
    const uuid = await pods.output("prepare", "--quiet", ...volume, "busybox", "--", "true");
    await pods.shell("rmdir /srv/volume");
    assertRefusal(await pods.gantry(["run-prepared", uuid]), 125, "/srv/volume");
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
  });
});

test("a file's image is not run for a registry's of the same name, nor an argument taken for one without a hint", async (t) => {
  await withPods(t, { name: "registry-name" }, async (pods) => {
    assert.equal(await pods.output("run", "busybox", "--", "echo", "the file's"), "the file's");
    const result = await pods.gantry(["run", "--pull-policy=never", "docker://busybox", "--", "true"]);
    assertRefusal(result, 4, 'there is no image "docker://busybox" in the store');
    const unmarked = await pods.gantry(["run", "busybox", "echo", "hi"]);
    assertRefusal(unmarked, 4, '"echo"', "hint: arguments of an app go behind --: busybox -- echo …");
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
  });
});

const MANIFEST = { acKind: "PodManifest", acVersion: "0.8.11" };
const APP = { name: "a", image: { id: "busybox" } };

/** Manifests that are wrong, and the key that the refusal names. */
const MANIFESTS: readonly (readonly [text: string, named: string])[] = [
  ["", '"/srv/pod.json"'],
  ["{", '"/srv/pod.json"'],
  ["[]", '"/srv/pod.json"'],
  [JSON.stringify({ ...MANIFEST, apps: [] }), "apps"],
  [JSON.stringify({ ...MANIFEST, apps: [APP], privileged: true }), 'unknown key "privileged"'],
  [
    JSON.stringify({ ...MANIFEST, apps: [{ ...APP, privileged: true }] }),
    'apps[0]: unknown key "privileged"',
  ],
  [JSON.stringify({ ...MANIFEST, apps: [APP, APP] }), 'duplicate apps of name "a"'],
  [JSON.stringify({ ...MANIFEST, apps: [{ ...APP, name: "A\u001b[31m" }] }), "apps[0].name"],
  [JSON.stringify({ ...MANIFEST, apps: [{ ...APP, "\u001b[2Jkey\n": 1 }] }), "\\x1b[2Jkey\\x0a"],
  [JSON.stringify({ ...MANIFEST, acKind: "ImageManifest", apps: [APP] }), "acKind"],
  [
    `{"acKind":"PodManifest","acVersion":"0.8.11","apps":[],"apps":[${"[".repeat(100_000)}`,
    '"/srv/pod.json"',
  ],
];

/** What is wrong before anything is made. */
const BEFORE: readonly Case[] = [
  { words: ["nope"], status: 4, text: '"nope"' },
  { words: ["busybox", "busybox"], status: 125, text: 'duplicate apps of name "busybox"' },
  { words: ["--uuid-file-save=/nope/uuid", "busybox"], status: 2, text: '"/nope/uuid"' },
  { words: ["--no-such-option", "busybox"], status: 2, text: '"--no-such-option"' },
  { words: ["--pod-manifest=/nope.json"], status: 2, text: '"/nope.json"' },
  {
    words: ["busybox", "--seccomp=mode=remove,nosuchcall"],
    status: 125,
    text: 'app "busybox": linux.seccomp.syscalls[0]: unknown system call nosuchcall',
  },
  {
    words: ["--volume=v,kind=host,source=/nope", "--mount=volume=v,target=/v", "busybox"],
    status: 125,
    text: 'volume "v": "/nope" does not exist',
  },
];

test("wrong words and wrong manifests are refused before anything is made", async (t) => {
  await withPods(t, { name: "words" }, async (pods) => {
    for (const { words, status, text } of BEFORE) {
      assertRefusal(await pods.gantry(["run", ...words]), status, text);
      assert.equal(await remains(pods), "", words.join(" "));
    }
    for (const [text, named] of MANIFESTS) {
      await pods.host.put("/srv/pod.json", text);
      assertRefusal(await pods.gantry(["run", "--pod-manifest=/srv/pod.json"]), 125, named);
      assert.equal(await remains(pods), "", text.slice(0, 200));
    }
  });
});

/** Launch plans, sandbox plans and unit sets that somebody has changed: file, change, what names it. */
const TAMPERED: readonly (readonly [file: string, change: string, named: RegExp])[] = [
  ["apps/busybox/plan.json", "d.privileged = true", /plan\.json.*privileged/],
  ["apps/busybox/plan.json", "d.linux.namespaces = []", /linux\.namespaces|namespaces/],
  ["apps/busybox/plan.json", "d.process.user.extra = 1", /process\.user.*extra/],
  ["apps/busybox/plan.json", "d.gantry.version = 9", /gantry\.version/],
  ["sandbox.json", "d.share = 'host'", /sandbox\.json.*share/],
  ["units.json", "d.extra = 1", /extra|units\.json/],
];

test("a document of a pod that was changed is refused by file and key, and the pod can be removed", async (t) => {
  await withPods(t, { name: "tampered" }, async (pods) => {
    for (const [file, change, named] of TAMPERED) {
      const uuid = await pods.output("prepare", "--quiet", "--name=t", "busybox", "--", "true");
      const path = `/var/lib/gantry/pods/${uuid}/${file}`;
      const document = JSON.parse((await pods.host.get(path)).toString());
      new Function("d", change)(document);
      await pods.host.put(path, JSON.stringify(document), 0o600);
      assertRefusal(await pods.gantry(["run-prepared", uuid]), 125, named);
      await pods.output("rm", "--force", uuid);
      assert.equal(await remainsAtLast(pods), "", file);
    }
  });
});
