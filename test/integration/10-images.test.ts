/** Images under a real systemd: the verbs, the unpacker's unit, and what goes wrong. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { EVENTS } from "../../src/journal/events.ts";
import {
  busyboxImage,
  type Image,
  writeAci,
  writeDockerArchive,
  writeOciArchive,
} from "../fixtures/images.ts";
import { tarOf } from "../fixtures/tar.ts";
import { busyboxEntries } from "../fixtures/trees.ts";
import { until } from "../fixtures/until.ts";
import type { Result, TestHost } from "../host/host.ts";
import { withHost } from "../host/with-host.ts";

/** systemd-analyze's exposure of the unpacker's unit: 0.0 is locked up, 10.0 is free. */
const EXPOSURE = 1.9;

const scratch = mkdtempSync(join(tmpdir(), "gantry-images-"));
after(() => rmSync(scratch, { recursive: true }));

const busybox = await busyboxImage({ User: "web", ExposedPorts: { "80/tcp": {} } });
/** Quick to send: 400 MB of zeros. */
const zeros = async (): Promise<Image> => ({
  layers: [await tarOf([{ name: "zeros", body: Buffer.alloc(400_000_000) }])],
});

/** Puts an OCI archive of `image` into the host and returns the argument that names it. */
async function putImage(host: TestHost, name: string, image: Image): Promise<string> {
  const file = join(scratch, `${name}.tar`);
  writeOciArchive(file, image, { ref: `r.example/${name}:1` });
  await host.put(`/srv/${name}.tar`, readFileSync(file));
  return `oci-archive:/srv/${name}.tar`;
}

function gantry(host: TestHost, ...words: string[]): Promise<Result> {
  return host.exec(["gantry", ...words]);
}

function fetch(host: TestHost, ...sources: string[]): Promise<Result> {
  return gantry(host, "fetch", "--insecure-options=image", ...sources);
}

async function output(result: Promise<Result>): Promise<string> {
  const { status, stdout, stderr } = await result;
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

async function assertRefused(result: Promise<Result>, status: number, ...texts: string[]): Promise<void> {
  const { stderr, ...rest } = await result;
  assert.deepEqual(rest, { status, stdout: "" }, stderr);
  for (const text of texts) assert.ok(stderr.includes(text), `${stderr}\nlacks ${text}`);
}

/** Nothing unfinished in the store, no unit of the unpacker, nothing failed. */
async function assertNothingLeft(host: TestHost): Promise<void> {
  const script =
    "ls -A /var/lib/gantry/inbox; find /var/lib/gantry -maxdepth 3 -name '.*'; systemctl list-units --all --no-legend 'gantry-unpack-*'; systemctl --failed --no-legend";
  assert.equal(await output(host.exec(["sh", "-c", script])), "");
}

async function unpackerUnit(host: TestHost): Promise<string> {
  const list = ["systemctl", "list-units", "--no-legend", "--plain", "gantry-unpack-*"];
  const look = async () => /gantry-unpack-\S+\.service/.exec((await host.exec(list)).stdout)?.[0];
  return (await until(look, (unit) => unit !== undefined)) ?? "";
}

/** Puts a program that never ends in the unpacker's place: what is looked at is all around it. */
async function holdUnpacker(host: TestHost): Promise<void> {
  const path = "/usr/lib/gantry/gantry-unpack";
  await output(host.exec(["rm", path]));
  await host.put(path, "#!/bin/sh\nexec sleep 1000\n", 0o755);
}

test("every form is fetched, listed, inspected and removed", async (t) => {
  await withHost(t, { name: "images" }, async (host) => {
    const oci = await output(fetch(host, await putImage(host, "busybox", busybox)));
    await host.exec(["sh", "-c", "mkdir /srv/layout && tar -C /srv/layout -xf /srv/busybox.tar"]);
    const several = await fetch(host, "oci:/srv/none", "oci:/srv/layout");
    assert.deepEqual([several.status, several.stdout], [4, `${oci}\n`]);
    assert.match(several.stderr, /^gantry: .*"\/srv\/none/m);
    const saved = join(scratch, "saved.tar");
    const docker = await writeDockerArchive(saved, busybox, { tags: ["busybox:1"] });
    await host.put("/srv/saved.tar", readFileSync(saved));
    assert.equal(await output(fetch(host, "/srv/saved.tar")), docker.replace(":", "-"));
    const file = join(scratch, "busybox.aci");
    const aci = await writeAci(file, busyboxEntries("rootfs/"), { compression: "zstd" });
    await host.put("/srv/busybox.aci", readFileSync(file));
    assert.equal(await output(fetch(host, "file:///srv/busybox.aci")), aci);

    const list = await output(gantry(host, "image", "list", "--no-legend", "--full"));
    const names = list.split("\n").map((line) => line.split(/ {2,}/).slice(0, 2));
    assert.deepEqual(names, [
      [aci, "example.com/busybox:1.35.0"],
      [docker.replace(":", "-"), "docker.io/library/busybox:1"],
      [oci, "r.example/busybox:1"],
    ]);
    const inspected = JSON.parse(await output(gantry(host, "image", "inspect", "r.example/busybox:1")));
    assert.deepEqual([inspected.id, inspected.verdict.kind, inspected.pods], [oci, "insecure", []]);
    const manifest = JSON.parse(await output(gantry(host, "image", "cat-manifest", oci.slice(0, 20))));
    assert.deepEqual(
      [manifest.name, manifest.app.user, manifest.app.group],
      ["r.example/busybox", "web", "2000"],
    );

    const ids = [oci, docker.replace(":", "-"), aci];
    const removed = await gantry(host, "image", "rm", oci, "r.example/none", ...ids.slice(1));
    assert.deepEqual([removed.status, removed.stdout], [4, `${ids.join("\n")}\n`]);
    assert.match(
      removed.stderr,
      /^gantry: there is no image "r.example\/none" in the store\nhint: gantry image list/,
    );
    const places = ["layers", "images", "tags", "blobs/sha256"].map((place) => `/var/lib/gantry/${place}`);
    assert.equal(await output(host.exec(["find", ...places, "-mindepth", "1"])), "");
    await assertRefused(gantry(host, "image", "rm", "r.example/busybox:1"), 4, '"r.example/busybox:1"');
    await assertNothingLeft(host);
  });
});

test("devices, set-id bits, owners, capabilities and attributes survive the unpacker's confinement", async (t) => {
  const capability = Buffer.from("0100000200040000000000000000000000000000", "hex").toString("latin1");
  const layer = await tarOf([
    { name: "null", type: "character-device", devmajor: 1, devminor: 3, mode: 0o666 },
    { name: "disk", type: "block-device", devmajor: 7, devminor: 0, mode: 0o660, gid: 6 },
    { name: "fifo", type: "fifo", mode: 0o600 },
    { name: "set-id", mode: 0o6755, uid: 1000, gid: 2000, body: "x" },
    { name: "ping", mode: 0o755, body: "x", xattrs: { "security.capability": capability, "user.note": "n" } },
  ]);
  await withHost(t, { name: "devices" }, async (host) => {
    await output(
      fetch(host, await putImage(host, "devices", { layers: [layer], config: { Cmd: ["/ping"] } })),
    );
    const list =
      "cd /var/lib/gantry/layers/sha256-*[0-9a-f] && stat -c '%n %F %a %u:%g %t:%T' disk fifo null set-id && getcap ping && getfattr --only-values -n user.note ping";
    assert.equal(
      await output(host.exec(["sh", "-c", list])),
      [
        "disk block special file 660 0:6 7:0",
        "fifo fifo 600 0:0 0:0",
        "null character special file 666 0:0 1:3",
        "set-id regular file 6755 1000:2000 0:0",
        "ping cap_net_bind_service=ep",
        "n",
      ].join("\n"),
    );
  });
});

test("without a signature an image is refused; accepting it anyway is told to the journal", async (t) => {
  await withHost(t, { name: "trust" }, async (host) => {
    const source = await putImage(host, "busybox", busybox);
    const command = `gantry fetch --insecure-options=image ${source}`;
    await assertRefused(gantry(host, "fetch", source), 5, '"r.example/busybox:1" is not trusted', command);
    assert.equal((await host.exec(["ls", "/var/lib/gantry/layers"])).stdout, "");
    await output(host.exec(["sh", "-c", command]));
    const journal = ["journalctl", "-o", "json", `MESSAGE_ID=${EVENTS["image-insecure"].id}`];
    await output(host.exec(["journalctl", "--sync"]));
    const entry = JSON.parse(await output(host.exec(journal)));
    assert.deepEqual(
      [entry.PRIORITY, entry.GANTRY_IMAGE, entry.GANTRY_SOURCE, entry.GANTRY_UID],
      ["4", "r.example/busybox:1", source, "0"],
    );
  });
});

test("the unpacker's unit is locked up, and an import that is killed with it is cleaned by gc", async (t) => {
  await withHost(t, { name: "unpacker" }, async (host) => {
    const source = await putImage(host, "busybox", busybox);
    await holdUnpacker(host);
    const fetching = await host.spawn(["gantry", "fetch", "--insecure-options=image", source]);
    const unit = await unpackerUnit(host);
    const { stdout } = await host.exec(["systemd-analyze", "security", "--no-pager", unit]);
    const exposure = Number(/Overall exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
    t.diagnostic(`exposure ${exposure}`);
    assert.ok(exposure <= EXPOSURE, stdout);
    await host.exec(["pkill", "-KILL", "-f", "cli.*fetch"]);
    assert.notEqual((await fetching.ended).status, 0);
    assert.match(await output(host.exec(["ls", "/var/lib/gantry/inbox"])), /^\d+-/);
    await output(gantry(host, "gc"));
    assert.equal(await output(host.exec(["ls", "-A", "/var/lib/gantry/layers"])), "");
    await assertNothingLeft(host);
  });
});

test("an unpacker that is killed fails the import, which says so and leaves nothing", async (t) => {
  await withHost(t, { name: "killed" }, async (host) => {
    const source = await putImage(host, "busybox", busybox);
    await holdUnpacker(host);
    const fetching = await host.spawn(["gantry", "fetch", "--insecure-options=image", source]);
    await host.exec(["systemctl", "kill", "-s", "KILL", await unpackerUnit(host)]);
    const { status, stderr } = await fetching.ended;
    assert.equal(status, 1, stderr);
    assert.match(stderr, /the unpacker of layer sha256:[0-9a-f]{64} was stopped: signal/);
    assert.equal(await output(host.exec(["ls", "-A", "/var/lib/gantry/layers"])), "");
    await assertNothingLeft(host);
  });
});

test("an interrupted fetch stops its unpacker and leaves nothing", async (t) => {
  await withHost(t, { name: "interrupt" }, async (host) => {
    const source = await putImage(host, "busybox", busybox);
    await holdUnpacker(host);
    const fetching = await host.spawn(["gantry", "fetch", "--insecure-options=image", source]);
    await unpackerUnit(host);
    await host.exec(["pkill", "-INT", "-f", "cli.*fetch"]);
    const { status, stderr } = await fetching.ended;
    assert.equal(status, 1, stderr);
    assert.match(stderr, /cancelled/);
    await assertNothingLeft(host);
  });
});

test("an image that expands over a small disk is refused, and the disk is as before", async (t) => {
  await withHost(t, { name: "full", data: { ext4MiB: 48 } }, async (host) => {
    const small = await output(fetch(host, await putImage(host, "busybox", busybox)));
    const free = () => output(host.exec(["df", "--output=avail", "/var/lib/gantry"]));
    const before = await free();
    await assertRefused(
      fetch(host, await putImage(host, "zeros", await zeros())),
      1,
      '"/var/lib/gantry/inbox/',
    );
    assert.equal(await free(), before);
    await host.exec([
      "sh",
      "-c",
      "dd if=/dev/zero of=/var/lib/gantry/fill bs=64k; dd if=/dev/zero of=/var/lib/gantry/fill2 bs=1k",
    ]);
    assert.equal(await output(gantry(host, "image", "rm", small)), small);
    assert.equal(await output(host.exec(["ls", "-A", "/var/lib/gantry/layers"])), "");
    await assertNothingLeft(host);
  });
});

test("what fetch reported is there, whole, after the power was cut", async (t) => {
  await withHost(t, { name: "power", data: { ext4MiB: 64 } }, async (host) => {
    const id = await output(fetch(host, await putImage(host, "busybox", busybox)));
    const sum =
      "cd /var/lib/gantry/layers/sha256-* && find . -type f -exec sha256sum {} + | sort | sha256sum; stat -c '%a %u %g %Y' etc/passwd home/web tmp";
    const before = await output(host.exec(["sh", "-c", sum]));
    await host.kill();
    await host.boot();
    assert.equal(await output(host.exec(["sh", "-c", sum])), before);
    assert.match(await output(gantry(host, "image", "list", "--full")), new RegExp(id));
    await output(gantry(host, "gc"));
    assert.equal(await output(host.exec(["sh", "-c", sum])), before);
  });
});
