/** Names that would move the cursor, forge a line or start another command: nothing unprintable is ever shown. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { assertRefusal, cleanUp, remains, remainsAtLast } from "../fixtures/faults.ts";
import { busyboxImage, type Image, writeAci, writeOciArchive } from "../fixtures/images.ts";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";
import { tarOf } from "../fixtures/tar.ts";
import type { Result } from "../host/host.ts";

const scratch = mkdtempSync(join(tmpdir(), "gantry-names-"));
after(() => rmSync(scratch, { recursive: true }));

/** Clears the screen, sets the title, forges a line, turns the writing direction; with the bytes that show it. */
const EVIL = "x\u001b[2J\u001b]0;t\u0007\ny\r\u009b31m\u202ez";
const SHOWN = "x\\x1b[2J\\x1b]0;t\\x07\\x0ay\\x0d\\x9b31m\\u202ez";
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

function assertPrintable({ stdout, stderr }: Result, what: string): void {
  assert.doesNotMatch(stdout, UNPRINTABLE, what);
  assert.doesNotMatch(stderr, UNPRINTABLE, what);
}

async function put(pods: PodHost, image: Image, ref?: string): Promise<string> {
  const file = join(scratch, "image.tar");
  writeOciArchive(file, image, ref === undefined ? {} : { ref });
  await pods.host.put("/srv/evil.tar", readFileSync(file));
  return "oci-archive:/srv/evil.tar";
}

/** Every place of a command line that a name can stand in. */
const WORDS: readonly (readonly string[])[] = [
  [EVIL],
  [`--${EVIL}`],
  ["help", EVIL],
  ...["status", "stop", "start", "rm", "kill", "logs", "cat-manifest", "run-prepared"].map((verb) => [
    verb,
    EVIL,
  ]),
  ["exec", EVIL, "true"],
  ["enter", `--app=${EVIL}`, "web", "true"],
  ["exec", "web", EVIL],
  ["kill", `--signal=${EVIL}`, "web"],
  ["status", `--wait=${EVIL}`, "web"],
  ["list", `--format=${EVIL}`],
  ["gc", `--grace-period=${EVIL}`],
  ["fetch", "--insecure-options=image", `/srv/${EVIL}`],
  ["fetch", `--insecure-options=${EVIL}`, "/srv/evil.tar"],
  ["fetch", `oci:/srv/${EVIL}:${EVIL}`],
  ...["rm", "inspect", "cat-manifest"].map((verb) => ["image", verb, EVIL]),
  ["run", EVIL],
  ["run", `--name=${EVIL}`, "busybox"],
  ["run", "busybox", `--name=${EVIL}`],
  ["run", "busybox", `--user=${EVIL}`],
  ["run", "busybox", `--working-dir=/etc/passwd/${EVIL}`],
  ["run", `--net=${EVIL}`, "busybox"],
  ["run", `--volume=${EVIL},kind=host,source=/srv`, "busybox"],
  ["run", `--volume=v,kind=host,source=/srv/${EVIL}`, "--mount=volume=v,target=/v", "busybox"],
  ["run", `--mount=volume=${EVIL},target=/v`, "busybox"],
  ["run", `--set-env=${EVIL}`, "busybox"],
  ["run", `--uuid-file-save=/nope/${EVIL}`, "busybox"],
  ["run", `--pod-manifest=/nope/${EVIL}`],
  ["run", "busybox", `--caps-retain=${EVIL}`],
  ["run", "busybox", `--memory=${EVIL}`],
  ["run", "busybox", "--", `/bin/${EVIL}`],
];

test("no place of the command line shows a name as it is", async (t) => {
  await withPods(t, { name: "words" }, async (pods) => {
    await pods.output("run", "--detach", "--name=web", "busybox", "--", "sleep", "1000");
    for (const words of WORDS) {
      const result = await pods.gantry(words);
      const what = JSON.stringify(words);
      assert.notEqual(result.status, 0, what);
      assertPrintable(result, what);
      assert.match(result.stderr, /^gantry: /, what);
      assert.match(result.stderr, /\\x1b|: the pod: [\w[\].]+: /, what);
      assert.ok(result.stderr.split("\n").length <= 4, `${what}: ${result.stderr}`);
    }
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
  });
});

const ENTRIES = [
  { name: `../${EVIL}`, body: "" },
  { name: EVIL, type: "link", linkname: `/nope/${EVIL}` },
  { name: `a/${EVIL.repeat(20)}${"n".repeat(300)}`, body: "" },
] as const;

test("what an archive or an image calls itself is refused or shown printable, in tables, JSON and errors", async (t) => {
  await withPods(t, { name: "images" }, async (pods) => {
    const { layers } = await busyboxImage();
    for (const entry of ENTRIES) {
      const source = await put(pods, { layers: [...layers, await tarOf([entry])] });
      const result = await pods.gantry(["fetch", "--insecure-options=image", source]);
      assertRefusal(result, 1, "\\x1b[2J");
      assertPrintable(result, entry.name);
      assert.equal(await remains(pods), "", entry.name);
    }
    // What an image may say of itself without being refused is in its labels, author and command.
    const config = { Cmd: ["/bin/sleep", EVIL], Labels: { [EVIL]: EVIL, version: EVIL }, Env: [`A=${EVIL}`] };
    const source = await put(
      pods,
      { layers, config, configuration: { author: EVIL } },
      `r.example/${EVIL}:1`,
    );
    const fetched = await pods.gantry(["fetch", "--insecure-options=image", source]);
    assertPrintable(fetched, "fetch");
    if (fetched.status !== 0) assert.ok(fetched.stderr.includes("\\x1b"), fetched.stderr);
    for (const words of [
      ["image", "list"],
      ["image", "list", "--full"],
      ["image", "list", "--format=json"],
      ...["inspect", "cat-manifest"].map((verb) => ["image", verb, fetched.stdout.trim() || "busybox"]),
    ]) {
      const result = await pods.gantry(words);
      assert.equal(result.status, 0, result.stderr);
      assertPrintable({ ...result, stdout: result.stdout }, words.join(" "));
    }
  });
});

async function putAci(pods: PodHost, manifest: Record<string, unknown>): Promise<string> {
  const file = join(scratch, "evil.aci");
  await writeAci(file, [], { manifest });
  await pods.host.put("/srv/evil.aci", readFileSync(file));
  return "/srv/evil.aci";
}

/** Manifests that are refused, each naming what is wrong with it. */
const EVIL_MANIFESTS: readonly Record<string, unknown>[] = [
  { labels: [{ name: "version", value: EVIL }] },
  { labels: [{ name: "version", value: `${EVIL}\ud800` }] },
  { labels: [{ name: EVIL, value: "1" }] },
  { name: `example.com/${EVIL}` },
  { annotations: [{ name: EVIL, value: "1" }] },
  { dependencies: [{ imageName: "example.com/base", labels: [{ name: "version", value: EVIL }] }] },
];

test("an ACI whose name or label is hostile is refused in printable words", async (t) => {
  await withPods(t, { name: "acis" }, async (pods) => {
    for (const manifest of EVIL_MANIFESTS) {
      const result = await pods.gantry(["fetch", "--insecure-options=image", await putAci(pods, manifest)]);
      assertRefusal(result, 1, "\\x1b[2J");
      assertPrintable(result, JSON.stringify(manifest));
      assert.equal(await remains(pods), "");
    }
  });
});

test("a name in the store is printable in every verb of images, whoever wrote it there", async (t) => {
  await withPods(t, { name: "stored" }, async (pods) => {
    const annotations = [{ name: "description", value: EVIL }];
    const id = await pods.output("fetch", "--insecure-options=image", await putAci(pods, { annotations }));
    const path = `/var/lib/gantry/images/${id}.json`;
    const record = JSON.parse(await pods.shell(`cat ${path}`));
    const name = `example.com/evil:${EVIL}`;
    await pods.host.put(path, JSON.stringify({ ...record, names: [name], labels: { version: EVIL } }));
    await pods.shell(`ln -s ../images/${id}.json '/var/lib/gantry/tags/${encodeURIComponent(name)}'`);
    for (const [words, ...shown] of [
      [["image", "list"], `example.com/evil:${SHOWN}`],
      [["image", "list", "--format=json"]],
      [["image", "inspect", id]],
      [["image", "cat-manifest", id]],
      [["image", "verify", id], `example.com/evil:${SHOWN}`],
      [["image", "verify", "--all"], `example.com/evil:${SHOWN}`],
      [["image", "verify", "--format=json", id]],
      [["trust", "explain", id]],
      [["completion", "images"], id],
      [["image", "gc", "--grace-period=0s", "--dry-run"], `example.com/evil:${SHOWN}`],
      [["image", "gc", "--grace-period=0s", "--format=json", "--dry-run"]],
    ] as const) {
      const result = await pods.gantry(words);
      const what = `${words.join(" ")}: ${result.stdout}${result.stderr}`;
      assert.equal(result.status, 0, what);
      assertPrintable(result, what);
      for (const text of shown) assert.ok(result.stdout.includes(text), what);
    }
    await pods.shell(`touch /var/lib/gantry/layers/${record.layers[0].diffId.replace(":", "-")}/more`);
    for (const words of [
      ["image", "verify", id],
      ["image", "gc", "--grace-period=0s"],
    ]) {
      const result = await pods.gantry(words);
      assertPrintable(result, `${words.join(" ")}: ${result.stdout}${result.stderr}`);
    }
    assert.doesNotMatch(await pods.output("image", "list", "--full"), new RegExp(id));
  });
});

test("files whose names are hostile can be exported to a pod and listed without a trace of them", async (t) => {
  await withPods(t, { name: "volume" }, async (pods) => {
    await pods.host.put(
      "/srv/pod.json",
      JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", [EVIL]: EVIL }),
    );
    const manifest = await pods.gantry(["run", "--pod-manifest=/srv/pod.json"]);
    assertPrintable(manifest, "manifest");
    assertRefusal(manifest, 125, '"/srv/pod.json"');
    const mount = [`--volume=v,kind=host,source=/srv/${EVIL}`, "--mount=volume=v,target=/v"];
    await pods.host.exec(["mkdir", `/srv/${EVIL}`]);
    const run = await pods.gantry([
      "run",
      "--detach",
      "--name=v",
      ...mount,
      "busybox",
      "--",
      "sleep",
      "1000",
    ]);
    assertPrintable(run, "run");
    for (const words of [["list"], ["status", "v"], ["list", "--format=json"], ["cat-manifest", "v"]]) {
      assertPrintable(await pods.gantry(words), words.join(" "));
    }
    const shown = await pods.host.exec([
      "systemctl",
      "list-units",
      "--all",
      "--plain",
      "--no-legend",
      "gantry-*",
    ]);
    assertPrintable(shown, "systemctl");
    assert.ok(!shown.stdout.includes(SHOWN));
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
  });
});
