/** OCI layouts: what is chosen, and every lie of a layout that is refused. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openArchive } from "../../../src/image/archive.ts";
import { openDirectory } from "../../../src/image/layout.ts";
import type { HostPlatform } from "../../../src/image/platform.ts";
import { readLayout, type SourceImage } from "../../../src/image/source.ts";
import {
  addBlob,
  addImage,
  addManifest,
  blobPath,
  type Descriptor,
  digestOf,
  type Image,
  MEDIA_TYPES,
  ociConfiguration,
  writeIndex,
  writeOciArchive,
  writeOciLayout,
} from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { tarOf } from "../../fixtures/tar.ts";

const HOST: HostPlatform = { os: "linux", architecture: "amd64", variants: ["v2", "v1"] };
const root = mkdtempSync(join(tmpdir(), "gantry-source-"));
after(() => rmSync(root, { recursive: true }));

const layers = [await tarOf([{ name: "a", body: "a" }]), await tarOf([{ name: "b", body: "b" }])];
const image: Image = {
  layers,
  config: { Cmd: ["/a"], Labels: { k: "v" } },
  configuration: { architecture: "amd64" },
};

let count = 0;
function newDirectory(): string {
  count += 1;
  return join(root, `layout-${count}`);
}

function read(directory: string, ref?: string): Promise<SourceImage> {
  return readLayout(openDirectory(directory), { ref, host: HOST });
}

function named(descriptor: Descriptor, ref: string): Descriptor {
  return { ...descriptor, annotations: { "org.opencontainers.image.ref.name": ref } };
}

function on(descriptor: Descriptor, architecture: string): Descriptor {
  return { ...descriptor, platform: { os: "linux", architecture } };
}

/** A layout whose one manifest is made of `change`d parts. */
function layoutOf(change: {
  configuration?: Record<string, unknown>;
  manifest?: Record<string, unknown>;
  descriptor?: Partial<Descriptor>;
  config?: Partial<Descriptor>;
  layer?: Partial<Descriptor>;
}): string {
  const directory = newDirectory();
  const configuration = { ...ociConfiguration(image), ...change.configuration };
  const config = addBlob(directory, MEDIA_TYPES.config, Buffer.from(JSON.stringify(configuration)));
  const blobs = layers.map((tar) => ({ ...addBlob(directory, MEDIA_TYPES.layer, tar), ...change.layer }));
  const parts = { config: { ...config, ...change.config }, layers: blobs };
  const manifest = addManifest(directory, {
    ...parts,
    ...(change.manifest ? { change: change.manifest } : {}),
  });
  writeIndex(directory, [{ ...manifest, ...change.descriptor }]);
  return directory;
}

test("an image is read with its documents, layers, labels and app", async () => {
  const directory = newDirectory();
  const manifest = writeOciLayout(directory, image, { ref: "1.0" });
  const source = await read(directory);
  assert.equal(source.digest, manifest.digest);
  assert.deepEqual(source.names, [`localhost/layout-${count}:1.0`]);
  assert.deepEqual(source.platform, { os: "linux", architecture: "amd64" });
  assert.deepEqual(source.labels, { k: "v" });
  assert.deepEqual(source.app.cmd, ["/a"]);
  assert.equal(source.created, "2024-01-02T03:04:05Z");
  assert.deepEqual(
    source.layers.map(({ diffId }) => diffId),
    layers.map((tar) => digestOf(tar)),
  );
  assert.deepEqual([...source.documents.keys()], [source.digest, source.configDigest]);
});

test("an archive of a layout gives the same image, its layers where they lie in it", async () => {
  const file = join(root, "archive.tar");
  const manifest = writeOciArchive(file, image, { ref: "r.example/app:1", compression: "none" });
  const source = await readLayout(await openArchive(file), { host: HOST });
  assert.deepEqual([source.digest, source.names], [manifest.digest, ["r.example/app:1"]]);
  const [first] = source.layers;
  assert.ok(first?.extent !== undefined);
  const { offset, length } = first.extent;
  const bytes = execFileSync("tail", ["-c", `+${offset + 1}`, file], { maxBuffer: 2 ** 30 }).subarray(
    0,
    length,
  );
  assert.equal(digestOf(bytes), first.digest);
});

test("a name or a digest selects among several images; without one they are listed", async () => {
  const directory = newDirectory();
  const one = named(addImage(directory, image), "one");
  const two = named(addImage(directory, { ...image, config: { Cmd: ["/two"] } }), "two");
  writeIndex(directory, [one, two]);
  assert.deepEqual((await read(directory, "two")).app.cmd, ["/two"]);
  assert.deepEqual((await read(directory, `@${one.digest}`)).app.cmd, ["/a"]);
  await assert.rejects(read(directory), refusal("AmbiguousName", 2, directory, "one, two"));
  await assert.rejects(read(directory, "three"), refusal("NoSuchImage", 4, directory, '"three"', "one, two"));
});

test("one image for several machines is chosen by platform, through nested indexes", async () => {
  const directory = newDirectory();
  const own = on(addImage(directory, image), "amd64");
  const other = on(addImage(directory, { ...image, config: { Cmd: ["/arm"] } }), "arm64");
  let inner: Descriptor = { ...own };
  for (let depth = 0; depth < 3; depth++) {
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [other, inner] };
    const blob = addBlob(directory, MEDIA_TYPES.index, Buffer.from(JSON.stringify(index)));
    inner = on(blob, "amd64");
  }
  writeIndex(directory, [other, inner]);
  const chosen = await read(directory);
  assert.deepEqual(chosen.app.cmd, ["/a"]);
  assert.deepEqual([chosen.indexes?.length, chosen.indexes?.[0]], [3, inner.digest]);
  const deepest = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [inner] };
  writeIndex(directory, [addBlob(directory, MEDIA_TYPES.index, Buffer.from(JSON.stringify(deepest)))]);
  await assert.rejects(read(directory), refusal("BadImage", 1, directory, "nest deeper than 3"));
});

test("no image for this machine: the refusal lists what there is", async () => {
  const directory = newDirectory();
  writeIndex(directory, [on(addImage(directory, image), "arm64"), on(addImage(directory, image), "s390x")]);
  await assert.rejects(read(directory), refusal("BadImage", 1, "linux/amd64", "linux/arm64, linux/s390x"));
});

test("attestations beside an image are not images", async () => {
  const directory = newDirectory();
  const manifest = addImage(directory, image);
  const attestation = { ...manifest, platform: { os: "unknown", architecture: "unknown" } };
  writeIndex(directory, [attestation, manifest]);
  assert.equal((await read(directory)).digest, manifest.digest);
  writeIndex(directory, [attestation]);
  await assert.rejects(read(directory), refusal("BadImage", 1, directory, "lists no image"));
});

test("docker's full name wins over the bare tag beside it", async () => {
  const directory = newDirectory();
  const annotations = {
    "io.containerd.image.name": "docker.io/library/app:1",
    "org.opencontainers.image.ref.name": "1",
  };
  writeIndex(directory, [{ ...addImage(directory, image), annotations }]);
  assert.deepEqual((await read(directory)).names, ["docker.io/library/app:1"]);
});

test("docker's own media types are read", async () => {
  const docker = "application/vnd.docker";
  const directory = layoutOf({
    manifest: { mediaType: `${docker}.distribution.manifest.v2+json` },
    descriptor: { mediaType: `${docker}.distribution.manifest.v2+json` },
    config: { mediaType: `${docker}.container.image.v1+json` },
    layer: { mediaType: `${docker}.image.rootfs.diff.tar` },
  });
  assert.equal((await read(directory)).layers.length, 2);
});

type Refusal = readonly [
  name: string,
  change: Parameters<typeof layoutOf>[0],
  kind: Parameters<typeof refusal>[0],
  ...texts: string[],
];

const REFUSED: readonly Refusal[] = [
  [
    "a manifest's size",
    { descriptor: { size: 1 } },
    "DigestMismatch",
    "manifest sha256:",
    "should have 1 bytes",
  ],
  ["a layer's size", { layer: { size: 1 } }, "DigestMismatch", "layer sha256:", "should have 1 bytes"],
  ["a negative size", { layer: { size: -1 } }, "BadImage", "layers.0.size"],
  [
    "a missing layer",
    { layer: { digest: `sha256:${"0".repeat(64)}` } },
    "BadImage",
    "lacks layer sha256:0000",
  ],
  [
    "a digest that is a path",
    { layer: { digest: "sha256:../../../etc/passwd" } },
    "BadImage",
    "../../../etc/passwd",
  ],
  ["an unknown digest algorithm", { layer: { digest: `md5:${"0".repeat(32)}` } }, "Unsupported", "md5:000"],
  [
    "an unknown layer type",
    { layer: { mediaType: "application/x-disk" } },
    "Unsupported",
    "application/x-disk",
  ],
  [
    "a manifest of another type than said",
    { manifest: { mediaType: MEDIA_TYPES.index } },
    "BadImage",
    MEDIA_TYPES.index,
  ],
  ["manifests and layers in one", { manifest: { manifests: [] } }, "BadImage", "both manifests and layers"],
  ["an artifact", { config: { mediaType: "application/vnd.oci.empty.v1+json" } }, "Unsupported", "artifact"],
  ["schema 1", { manifest: { schemaVersion: 1 } }, "Unsupported", "schema 1"],
  [
    "an entry of schema 1",
    { descriptor: { mediaType: "application/vnd.docker.distribution.manifest.v1+prettyjws" } },
    "Unsupported",
    "schema 1",
  ],
  ["an entry of unknown type", { descriptor: { mediaType: "text/plain" } }, "Unsupported", "text/plain"],
  [
    "another rootfs type",
    { configuration: { rootfs: { type: "disk", diff_ids: [] } } },
    "BadImage",
    '"disk"',
  ],
  [
    "too few diff ids",
    { configuration: { rootfs: { type: "layers", diff_ids: [digestOf(Buffer.alloc(0))] } } },
    "BadImage",
    "names 1 layers but the manifest has 2",
  ],
  ["no rootfs", { configuration: { rootfs: undefined } }, "BadImage", '"rootfs"'],
  ["another system", { configuration: { os: "windows" } }, "Unsupported", '"windows"'],
  [
    "a label that is no string",
    { configuration: { config: { Labels: { a: 1 } } } },
    "BadImage",
    "config.Labels.a",
  ],
  ...["Volumes", "ExposedPorts", "Labels"].map(
    (key): Refusal => [
      `a hundred thousand ${key}`,
      { configuration: { config: { [key]: Object.fromEntries(manyNames().map((name) => [name, ""])) } } },
      "BadImage",
      `"config.${key}": more than 1000 entries`,
    ],
  ),
  [
    "a hundred thousand variables",
    { configuration: { config: { Env: manyNames() } } },
    "BadImage",
    '"config.Env": more than 1000 entries',
  ],
];

/** Of which a mount point would get the same name from each. */
function manyNames(): string[] {
  return Array.from(
    { length: 100_000 },
    (_, at) => `/${at.toString(2).replaceAll("0", "!").replaceAll("1", "?")}`,
  );
}

for (const [name, change, kind, ...texts] of REFUSED) {
  test(`refuses ${name}`, async () => {
    await assert.rejects(read(layoutOf(change)), refusal(kind, 1, ...texts));
  });
}

test("refuses a configuration that was changed, and one that was cut", async () => {
  const directory = newDirectory();
  writeOciLayout(directory, image);
  const { configDigest } = await read(directory);
  const path = blobPath(directory, configDigest);
  const text = JSON.stringify(ociConfiguration(image));
  writeFileSync(path, text.replace("linux", "linuz"));
  await assert.rejects(read(directory), refusal("DigestMismatch", 1, configDigest, "configuration"));
  truncateSync(path, 10);
  await assert.rejects(read(directory), refusal("DigestMismatch", 1, configDigest, "has 10"));
});

test("refuses an index that is no JSON, no UTF-8, too large, or missing", async () => {
  const directory = newDirectory();
  writeOciLayout(directory, image);
  const index = join(directory, "index.json");
  writeFileSync(index, "{");
  await assert.rejects(read(directory), refusal("BadImage", 1, "index.json", "valid JSON"));
  writeFileSync(index, Buffer.from([0x22, 0xff, 0x22]));
  await assert.rejects(read(directory), refusal("BadImage", 1, "index.json", "valid UTF-8"));
  appendFileSync(index, Buffer.alloc(4 * 1024 * 1024 + 1));
  await assert.rejects(read(directory), refusal("BadImage", 1, "index.json", "limit is 4194304"));
  rmSync(index);
  await assert.rejects(read(directory), refusal("BadImage", 1, directory, "no index.json"));
});

test("refuses a layout of another version, and a directory that is none", async () => {
  const directory = newDirectory();
  writeOciLayout(directory, image);
  writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
  await assert.rejects(read(directory), refusal("Unsupported", 1, directory, '"2.0.0"'));
  await assert.rejects(read("/etc"), refusal("BadImage", 1, '"/etc"', "no oci-layout"));
});

test("refuses a blob that is a FIFO or leads to one, without blocking", async () => {
  const directory = newDirectory();
  const { digest } = writeOciLayout(directory, image);
  rmSync(blobPath(directory, digest));
  execFileSync("mkfifo", [blobPath(directory, digest)]);
  await assert.rejects(read(directory), refusal("BadImage", 1, digest.slice(7), "not a regular file"));
});
