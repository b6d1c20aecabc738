/** docker save archives, their links and their lies. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Extent, openArchive, readExtent } from "../../../src/image/archive.ts";
import { readDockerArchive } from "../../../src/image/docker-archive.ts";
import { digestOf, type Image, ociConfiguration, writeDockerArchive } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { compress, type TarEntry, tarOf } from "../../fixtures/tar.ts";

const root = mkdtempSync(join(tmpdir(), "gantry-docker-"));
after(() => rmSync(root, { recursive: true }));

const tar = await tarOf([{ name: "a", body: "a" }]);
const image: Image = { layers: [tar], config: { Cmd: ["/a"] } };
const layerName = `${digestOf(tar).slice(7)}/layer.tar`;

async function read(options: Parameters<typeof writeDockerArchive>[2] = {}, ref?: string) {
  const file = join(root, "archive.tar");
  await writeDockerArchive(file, image, options);
  return await readDockerArchive(await openArchive(file), ref);
}

test("an archive is read with its names, configuration and layers", async () => {
  const source = await read({ tags: ["app:1", "r.example/app:1", "not a name"] });
  assert.deepEqual(source.names, ["docker.io/library/app:1", "r.example/app:1"]);
  assert.equal(source.digest, digestOf(Buffer.from(JSON.stringify(ociConfiguration(image)))));
  assert.equal(source.configDigest, source.digest);
  const [layer] = source.layers;
  assert.ok(layer !== undefined);
  assert.deepEqual([layer.diffId, layer.digest], [digestOf(tar), digestOf(tar)]);
  assert.deepEqual(await readExtent(layer.extent as Extent, 1e6, "layer"), tar);
});

test("layers that are links are followed within the archive, symbolic and hard", async () => {
  const links: TarEntry[] = [
    { name: "one/layer.tar", type: "symlink", linkname: "../two/./layer.tar" },
    { name: "two/layer.tar", type: "link", linkname: layerName },
  ];
  const { layers } = await read({ entries: links, layerNames: ["one/layer.tar"] });
  assert.deepEqual(layers[0] && (await readExtent(layers[0].extent as Extent, 1e6, "layer")), tar);
});

const BAD_LINKS: readonly (readonly [what: string, linkname: string, text: string])[] = [
  ["out of the archive", "../../../etc/passwd", "leads out of the archive"],
  ["to an absolute path", "/etc/passwd", "leads out of the archive"],
  ["to nothing", "nothing.tar", "is not there"],
  ["to itself", "layer.tar", "loop of links"],
  ["to a directory", "..", "is a directory"],
];

for (const [what, linkname, text] of BAD_LINKS) {
  test(`a layer that leads ${what} is refused`, async () => {
    const entries: TarEntry[] = [
      { name: "x", type: "directory" },
      { name: "x/y", type: "directory" },
      { name: "x/y/layer.tar", type: "symlink", linkname },
    ];
    const reading = read({ entries, layerNames: ["x/y/layer.tar"] });
    await assert.rejects(reading, refusal("BadImage", 1, '"x/y/layer.tar"', text));
  });
}

for (const name of ["../etc/passwd", "/etc/passwd", "a/../../b", ""]) {
  test(`the layer id ${JSON.stringify(name)} is refused`, async () => {
    await assert.rejects(read({ layerNames: [name] }), refusal("BadImage", 1, "manifest.json", `"${name}"`));
  });
}

test("a layer that is missing, one too many, and none are refused", async () => {
  await assert.rejects(read({ layerNames: ["x/layer.tar"] }), refusal("BadImage", 1, '"x/layer.tar"'));
  const two = read({ layerNames: [layerName, layerName] });
  await assert.rejects(two, refusal("BadImage", 1, "names 1 layers but the manifest has 2"));
  await assert.rejects(read({ layerNames: [] }), refusal("BadImage", 1, "manifest.json", "0.Layers"));
});

test("a configuration under another digest's name is refused", async () => {
  const file = join(root, "renamed.tar");
  const wrong = `${"0".repeat(64)}.json`;
  const manifest = JSON.stringify([{ Config: wrong, Layers: [layerName] }]);
  const entries = [
    { name: layerName, body: tar },
    { name: wrong, body: JSON.stringify(ociConfiguration(image)) },
    { name: "manifest.json", body: manifest },
  ];
  writeFileSync(file, await tarOf(entries));
  const reading = readDockerArchive(await openArchive(file), undefined);
  await assert.rejects(reading, refusal("DigestMismatch", 1, wrong, "has digest sha256:"));
});

test("several images need a name or a number", async () => {
  const file = join(root, "several.tar");
  const config = JSON.stringify(ociConfiguration(image));
  const other = JSON.stringify(ociConfiguration({ ...image, config: { Cmd: ["/other"] } }));
  const manifest = [
    { Config: "a.json", RepoTags: ["a:1"], Layers: [layerName] },
    { Config: "b.json", RepoTags: null, Layers: [layerName] },
  ];
  const entries = [
    { name: layerName, body: tar },
    { name: "a.json", body: config },
    { name: "b.json", body: other },
    { name: "manifest.json", body: JSON.stringify(manifest) },
  ];
  writeFileSync(file, await tarOf(entries));
  const archive = await openArchive(file);
  await assert.rejects(readDockerArchive(archive, undefined), refusal("AmbiguousName", 2, file, "a:1, @1"));
  await assert.rejects(
    readDockerArchive(archive, "c:1"),
    refusal("NoSuchImage", 4, file, '"c:1"', "a:1, @1"),
  );
  assert.deepEqual((await readDockerArchive(archive, "docker.io/library/a:1")).app.cmd, ["/a"]);
  assert.deepEqual((await readDockerArchive(archive, "@1")).app.cmd, ["/other"]);
});

test("a compressed layer has no digest of its own yet", async () => {
  const packed = compress(tar, "gzip");
  const { layers } = await read({
    entries: [{ name: "packed.tar", body: packed }],
    layerNames: ["packed.tar"],
  });
  assert.equal(layers[0]?.digest, undefined);
  assert.equal(layers[0]?.diffId, digestOf(tar));
  assert.match(layers[0]?.mediaType ?? "", /gzip$/);
});

test("a torn archive, and a file that is no tar, are refused", async () => {
  const file = join(root, "torn.tar");
  const whole = await tarOf([{ name: "manifest.json", body: "x".repeat(5000) }]);
  writeFileSync(file, whole.subarray(0, 3000));
  await assert.rejects(openArchive(file), refusal("BadImage", 1, file, "not a whole tar"));
  writeFileSync(file, Buffer.alloc(4096, "garbage"));
  await assert.rejects(openArchive(file), refusal("BadImage", 1, file, "not a whole tar"));
  writeFileSync(file, await tarOf([{ name: "../escape", body: "x" }]));
  await assert.rejects(openArchive(file), refusal("BadImage", 1, file, '"../escape"'));
});
