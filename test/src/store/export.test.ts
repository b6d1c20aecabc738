/** Images out of the store and in again: as ACI, as OCI archive, as directory. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  type DirectoryExport,
  exportImage,
  extractToDirectory,
  type FileExport,
} from "../../../src/manager/export.ts";
import { fetchImage, type ImageRecord } from "../../../src/manager/images.ts";
import { verifyImage } from "../../../src/manager/verify.ts";
import { type Image, manyLayerImage, writeAci, writeOciLayout } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { leftovers, newStore, type TestStore } from "../../fixtures/store.ts";
import { busyboxEntries } from "../../fixtures/trees.ts";

const config = {
  Entrypoint: ["/bin/echo"],
  Cmd: ["hello"],
  Env: ["PATH=/bin", "MODE=test"],
  User: "web",
  WorkingDir: "/srv",
  ExposedPorts: { "80/tcp": {}, "5000-5001/udp": {} },
  Volumes: { "/data": {} },
  Labels: { team: "ü" },
  StopSignal: "SIGQUIT",
};
const image: Image = { ...(await manyLayerImage(2)), config };

async function fetch(store: TestStore, source: string): Promise<ImageRecord> {
  return await fetchImage(store.manager, { source, insecureOptions: ["image"], uid: 0 });
}

async function fetchLayout(store: TestStore): Promise<ImageRecord> {
  const layout = join(store.directory, "layout");
  writeOciLayout(layout, image, { ref: "r.example/app:1" });
  return await fetch(store, `oci:${layout}`);
}

function exportTo(store: TestStore, record: ImageRecord, more: Partial<FileExport> & { path: string }) {
  const request = { image: record.id, format: "aci", compression: "none", overwrite: false } as const;
  return exportImage(store.manager, { ...request, ...more });
}

function extract(store: TestStore, record: ImageRecord, more: Partial<DirectoryExport> & { path: string }) {
  const request = { image: record.id, own: true, rootfsOnly: false, overwrite: false };
  return extractToDirectory(store.manager, { ...request, ...more });
}

/** Everything that find tells of a tree, and the contents of what is no busybox, which has hundreds of names. */
function facts(tree: string): string {
  const script =
    "find . -printf '%p %y %m %U %G %T@ %l\\n' | sort; find . -type f -links 1 -exec sha256sum {} + | sort; find . -type f -links +1 -printf '%n %s %p\\n' | sort";
  return execFileSync("sh", ["-c", script], { cwd: tree, encoding: "utf8" });
}

/** The image's root file system: one layer over the other, then without whiteouts. These layers hide nothing else. */
function rendered(store: TestStore, record: ImageRecord, into: string): string {
  mkdirSync(into);
  for (const { diffId } of record.layers) {
    const tree = join(store.data, "layers", diffId.replace(":", "-"));
    execFileSync("cp", ["-a", "--remove-destination", `${tree}/.`, into]);
  }
  const times =
    "find . -type d -printf '%T@ %p\\n' >../times; find . -type c -delete; while read -r time path; do touch -d @$time $path; done <../times";
  execFileSync("sh", ["-ec", times], { cwd: into });
  return into;
}

test("an exported ACI is the whole image: imported again it runs the same", async () => {
  using store = newStore();
  const record = await fetchLayout(store);
  const path = join(store.directory, "app.aci");
  await exportTo(store, record, { path });
  assert.equal(statSync(path).mode & 0o777, 0o644);
  const again = await fetch(store, path);
  assert.deepEqual(again.names, ["r.example/app:1"]);
  // appc wants spelled out what Docker looks up when the app starts.
  assert.deepEqual(again.app, { ...record.app, group: "2000", supplementaryGids: [4000, 4001] });
  assert.deepEqual([again.layers.length, again.kind], [1, "appc"]);
  const tree = join(store.data, "layers", again.layers[0]?.diffId.replace(":", "-") ?? "");
  assert.equal(facts(tree), facts(rendered(store, record, join(store.directory, "rendered"))));
  assert.equal((await verifyImage(store.manager, { image: again.id, repair: false, uid: 0 })).ok, true);
  assert.deepEqual(leftovers(store.data), []);
});

test("an exported OCI archive has the layers and configuration of the image", async () => {
  using store = newStore();
  const record = await fetchLayout(store);
  for (const compression of ["gzip", "zstd", "none"] as const) {
    // A name means the image that was imported last.
    await fetchLayout(store);
    const path = join(store.directory, `${compression}.tar`);
    await exportTo(store, record, { path, format: "oci", compression });
    const again = await fetch(store, `oci-archive:${path}`);
    assert.deepEqual([again.names, again.app, again.labels], [record.names, record.app, record.labels]);
    assert.equal(again.created, record.created);
    assert.equal(again.layers.length, 3);
    const trees = [again, record].map((one, at) =>
      facts(rendered(store, one, join(store.directory, `${compression}${at}`))),
    );
    assert.equal(trees[0], trees[1]);
  }
  // What was packed from the same trees is the same layer.
  await fetchLayout(store);
  const once = join(store.directory, "again.tar");
  await exportTo(store, record, { path: once, format: "oci", compression: "gzip" });
  assert.ok(readFileSync(once).equals(readFileSync(join(store.directory, "gzip.tar"))));
});

test("skopeo and umoci read an exported OCI archive", async () => {
  using store = newStore();
  const record = await fetchLayout(store);
  const path = join(store.directory, "app.tar");
  await exportTo(store, record, { path, format: "oci", compression: "gzip" });
  const inspected = JSON.parse(
    execFileSync("skopeo", ["inspect", "--config", `oci-archive:${path}:r.example/app:1`], {
      encoding: "utf8",
    }),
  );
  assert.deepEqual(inspected.config.Entrypoint, config.Entrypoint);
  assert.equal(inspected.history.length, 3);
  const script = `skopeo copy --insecure-policy -q "oci-archive:$1:r.example/app:1" oci:copy:app && umoci unpack --image copy:app bundle`;
  execFileSync("sh", ["-ec", script, "sh", path], {
    cwd: store.directory,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const theirs = facts(join(store.directory, "bundle/rootfs"));
  const ours = facts(rendered(store, record, join(store.directory, "rendered")));
  // umoci leaves the times of directories that a later layer changed.
  const withoutDirectories = (text: string) => text.split("\n").filter((line) => !/ d \d+ /.test(line));
  assert.deepEqual(withoutDirectories(theirs), withoutDirectories(ours));
});

test("an appc image becomes an OCI image, and an ACI stays the same", async () => {
  using store = newStore();
  const aci = join(store.directory, "in.aci");
  await writeAci(aci, busyboxEntries("rootfs/"), {
    manifest: {
      app: {
        exec: ["/bin/sh", "-c", "x"],
        user: "web",
        group: "www",
        environment: [{ name: "A", value: "b=c" }],
      },
    },
  });
  const record = await fetch(store, aci);
  const [path, again] = [join(store.directory, "out.tar"), join(store.directory, "out.aci")];
  await exportTo(store, record, { path, format: "oci", compression: "gzip" });
  const oci = await fetch(store, `oci-archive:${path}`);
  assert.deepEqual(oci.app, { ...record.app, user: "web:www", group: "" });
  await exportTo(store, record, { path: again, compression: "zstd" });
  const same = await fetch(store, again);
  assert.deepEqual([same.app, same.labels, same.names], [record.app, record.labels, record.names]);
  assert.equal(same.configDigest !== "", true);
});

test("extract writes manifest and rootfs, or the root file system alone", async () => {
  using store = newStore();
  const record = await fetchLayout(store);
  const expected = facts(rendered(store, record, join(store.directory, "rendered")));
  const whole = join(store.directory, "whole");
  await extract(store, record, { path: whole });
  assert.deepEqual(readdirSync(whole).sort(), ["manifest", "rootfs"]);
  assert.equal(JSON.parse(readFileSync(join(whole, "manifest"), "utf8")).name, "r.example/app");
  assert.equal(facts(join(whole, "rootfs")), expected);
  const alone = join(store.directory, "alone");
  await extract(store, record, { path: alone, rootfsOnly: true, own: false });
  assert.equal(facts(alone), expected);
  assert.deepEqual(
    readdirSync(store.directory).filter((name) => name.startsWith(".")),
    [],
  );
});

test("what is there is replaced only when asked, and never another kind of thing", async () => {
  using store = newStore();
  const record = await fetchLayout(store);
  const [file, directory, link] = ["file.aci", "directory", "link"].map((name) =>
    join(store.directory, name),
  );
  assert.ok(file !== undefined && directory !== undefined && link !== undefined);
  writeFileSync(file, "mine");
  mkdirSync(directory);
  writeFileSync(join(directory, "mine"), "");
  symlinkSync(directory, link);
  await assert.rejects(
    exportTo(store, record, { path: file }),
    refusal("FileExists", 1, file, "--overwrite"),
  );
  await assert.rejects(
    exportTo(store, record, { path: directory, overwrite: true }),
    refusal("FileExists", 1, directory, "not a file"),
  );
  await assert.rejects(
    extract(store, record, { path: directory }),
    refusal("FileExists", 1, directory, "--overwrite"),
  );
  await assert.rejects(
    extract(store, record, { path: link, overwrite: true }),
    refusal("FileExists", 1, link, "not a directory"),
  );
  await assert.rejects(
    extract(store, record, { path: "/", overwrite: true }),
    refusal("FileExists", 1, '"/"'),
  );
  assert.deepEqual([readFileSync(file, "utf8"), existsSync(join(directory, "mine"))], ["mine", true]);
  await exportTo(store, record, { path: file, overwrite: true });
  await extract(store, record, { path: directory, overwrite: true });
  assert.deepEqual(readdirSync(directory).sort(), ["manifest", "rootfs"]);
  for (const nowhere of [join(store.directory, "no"), file]) {
    const denied = refusal("AccessDenied", 6, `nothing can be written to "${nowhere}"`);
    await assert.rejects(exportTo(store, record, { path: join(nowhere, "a.aci") }), denied);
    await assert.rejects(extract(store, record, { path: join(nowhere, "tree") }), denied);
  }
  assert.deepEqual(leftovers(store.data), []);
});

test("an export that is cancelled leaves nothing", async () => {
  using store = newStore();
  const record = await fetchLayout(store);
  const path = join(store.directory, "app.aci");
  const signal = AbortSignal.abort();
  await assert.rejects(exportTo(store, record, { path, signal }), refusal("Cancelled", 1, "layers"));
  assert.deepEqual([existsSync(path), leftovers(store.data)], [false, []]);
});
