/** Names to images against a registry that may be wrong in every way: the failure's kind, and a text that names it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { refusal } from "../../fixtures/refusal.ts";
import { complain, startRegistry, TYPES } from "../../fixtures/registry.ts";
import { AMD64, answering, imaged, LAYER, resolve } from "../../fixtures/resolution.ts";

test("resolution: manifest and configuration of a tag", async () => {
  await using registry = await imaged();
  const manifest = registry.image("team/app", "1", [LAYER], AMD64);
  const found = await resolve(registry);
  assert.deepEqual([found.manifest, found.indexes, found.log], [manifest, [], []]);
  assert.equal(found.documents.size, 2);
  assert.deepEqual(
    registry.seen.map(({ url }) => url?.replace(/sha256:.*/, "…")),
    ["/v2/team/app/manifests/1", "/v2/team/app/blobs/…"],
  );
});

test("resolution: Docker's types", async () => {
  await using registry = await startRegistry();
  const config = registry.blob(
    "application/vnd.docker.container.image.v1+json",
    Buffer.from(JSON.stringify({ ...AMD64, os: "linux", rootfs: { type: "layers", diff_ids: ["x"] } })),
  );
  const layer = registry.blob("application/vnd.docker.image.rootfs.diff.tar.gzip", LAYER);
  const manifest = { schemaVersion: 2, mediaType: TYPES.docker, config, layers: [layer] };
  const piece = registry.manifest("team/app", undefined, manifest, TYPES.docker);
  const entry = { ...piece, platform: { os: "linux", architecture: "amd64" } };
  const list = { schemaVersion: 2, mediaType: TYPES.list, manifests: [entry] };
  const index = registry.manifest("team/app", "1", list, TYPES.list);
  const found = await resolve(registry);
  assert.deepEqual([found.manifest.digest, found.indexes], [piece.digest, [index]]);
});

test("resolution: the best variant of nested indexes, and no attestation", async () => {
  await using registry = await startRegistry();
  const image = (variant: string) => ({
    ...registry.image("team/app", undefined, [Buffer.from(variant)], { ...AMD64, variant }),
    platform: { os: "linux", architecture: "amd64", variant },
  });
  const attestation = {
    ...registry.manifest("team/app", undefined, { schemaVersion: 2 }),
    platform: { os: "unknown", architecture: "unknown" },
  };
  const wanted = image("v2");
  const inner = registry.manifest(
    "team/app",
    undefined,
    { schemaVersion: 2, manifests: [attestation, image("v1"), image("v3"), wanted] },
    TYPES.index,
  );
  const outer = registry.manifest("team/app", "1", { schemaVersion: 2, manifests: [inner] }, TYPES.index);
  const found = await resolve(registry);
  assert.equal(found.manifest.digest, wanted.digest);
  assert.deepEqual(
    found.indexes.map(({ digest }) => digest),
    [outer.digest, inner.digest],
  );
  assert.equal(found.documents.size, 4);
});

test("resolution: indexes that nest without end", async () => {
  await using registry = await startRegistry();
  let piece = registry.image("team/app", undefined, [LAYER], AMD64);
  for (let depth = 0; depth < 6; depth++) {
    piece = registry.manifest("team/app", "1", { schemaVersion: 2, manifests: [piece] }, TYPES.index);
  }
  await assert.rejects(
    resolve(registry),
    refusal("BadImage", 1, "docker.io/team/app:1", "nest deeper than 3"),
  );
});

test("resolution: no image for this machine", async () => {
  await using registry = await startRegistry();
  const entry = {
    ...registry.image("team/app", undefined, [LAYER]),
    platform: { os: "linux", architecture: "s390x" },
  };
  registry.manifest("team/app", "1", { schemaVersion: 2, manifests: [entry] }, TYPES.index);
  await assert.rejects(
    resolve(registry),
    refusal("BadImage", 1, "docker.io/team/app:1", "linux/amd64", "s390x"),
  );
});

test("resolution: with tag and digest the digest decides", async () => {
  await using registry = await imaged();
  const old = registry.image("team/app", undefined, [Buffer.from("old")], AMD64);
  const found = await resolve(registry, `team/app:1@${old.digest}`);
  assert.equal(found.manifest.digest, old.digest);
});

test("resolution: a tag that moves meanwhile makes no mixture", async () => {
  await using registry = await startRegistry({
    intercept: (_request, _response, url) => {
      if (url.pathname.includes("/blobs/")) registry.image("team/app", "1", [Buffer.from("new")], AMD64);
      return false;
    },
  });
  const old = registry.image("team/app", "1", [LAYER], AMD64);
  assert.equal((await resolve(registry)).manifest.digest, old.digest);
  assert.notEqual((await resolve(registry)).manifest.digest, old.digest);
});

test("resolution: unknown names", async () => {
  await using registry = await imaged();
  const said = refusal(
    "NoSuchImage",
    4,
    "docker.io/team/app:2",
    `127.0.0.1:${registry.port}`,
    "MANIFEST_UNKNOWN",
  );
  await assert.rejects(resolve(registry, "team/app:2"), said);
});

for (const status of [401, 403]) {
  test(`resolution: ${status}`, async () => {
    await using registry = await imaged({
      intercept: (_, response) => {
        complain(response, status, "DENIED");
        return true;
      },
    });
    const said = refusal("AccessDenied", 6, "docker.io/team/app:1", "DENIED", "auth.d");
    await assert.rejects(resolve(registry), said);
  });
}

const DEEP = 1_500_000;
const PROTO = '{"schemaVersion":2,"__proto__":{"layers":[],"config":{}}}';
const ENTRY = `{"mediaType":"${TYPES.manifest}","digest":"sha256:${"a".repeat(64)}","size":1}`;

for (const [what, bytes, kind, text] of [
  ["is not JSON", "<html>", "BadImage", "not valid JSON"],
  ["is empty", "", "BadImage", "not valid JSON"],
  ["is null", "null", "BadImage", "malformed"],
  ["is not UTF-8", Buffer.from([0xff, 0xfe]), "BadImage", "not valid UTF-8"],
  ["nests deeply", "[".repeat(DEEP) + "]".repeat(DEEP), "BadImage", "malformed"],
  [
    "nests deeply where nobody looks",
    `{"schemaVersion":2,"x":${"[".repeat(DEEP)}${"]".repeat(DEEP)}}`,
    "BadImage",
    "config",
  ],
  ["has a prototype", PROTO, "BadImage", "config"],
  ["is both manifest and index", `{"schemaVersion":2,"manifests":[],"layers":[]}`, "BadImage", "both"],
  [
    "has 1000 layers",
    `{"schemaVersion":2,"config":${ENTRY},"layers":[${Array(1000).fill(ENTRY)}]}`,
    "BadImage",
    "layers",
  ],
  ["is schema 1", '{"schemaVersion":1,"name":"x"}', "Unsupported", "schema 1"],
  [
    "calls itself an index",
    `{"schemaVersion":2,"mediaType":"${TYPES.index}","config":${ENTRY},"layers":[]}`,
    "BadImage",
    TYPES.index,
  ],
] as const) {
  test(`resolution: a manifest that ${what}`, async () => {
    await using registry = await imaged({ intercept: answering(bytes) });
    await assert.rejects(resolve(registry), refusal(kind, 1, "manifest sha256:", text));
  });
}

test("resolution: an index of 20,000 entries", async () => {
  const bytes = `{"schemaVersion":2,"manifests":[${Array(20_000).fill(ENTRY)}]}`;
  await using registry = await imaged({ intercept: answering(bytes, { "content-type": TYPES.index }) });
  await assert.rejects(resolve(registry), refusal("BadImage", 1, "index sha256:", "manifests"));
});

test("resolution: a manifest beyond the limit", async () => {
  await using registry = await imaged({ intercept: answering(Buffer.alloc(4 * 1024 * 1024 + 1, " ")) });
  await assert.rejects(
    resolve(registry),
    refusal("BadImage", 1, "/v2/team/app/manifests/1", "4194304 bytes"),
  );
});

test("resolution: a manifest of a type that is none", async () => {
  const type = { "content-type": "application/vnd.oci.image.config.v1+json" };
  await using registry = await imaged({ intercept: answering("{}", type) });
  await assert.rejects(resolve(registry), refusal("Unsupported", 1, "unknown media type"));
});

test("resolution: a manifest packed although nobody asked", async () => {
  await using registry = await imaged({
    intercept: answering(gzipSync("{}"), { "content-encoding": "gzip" }),
  });
  await assert.rejects(resolve(registry), refusal("BadImage", 1, "/manifests/1", "gzip"));
});

test("resolution: a type that is not told is taken from the document", async () => {
  await using registry = await imaged({
    intercept: (_, response) => {
      const writeHead = response.writeHead.bind(response);
      response.writeHead = ((status: number, headers: Record<string, string>) =>
        writeHead(status, { ...headers, "content-type": "text/plain" })) as typeof response.writeHead;
      return false;
    },
  });
  assert.equal((await resolve(registry)).manifest.mediaType, TYPES.manifest);
});

test("resolution: a digest header that contradicts the bytes", async () => {
  const wrong = { "docker-content-digest": `sha256:${"b".repeat(64)}` };
  await using registry = await imaged({ intercept: answering("{}", wrong) });
  await assert.rejects(
    resolve(registry),
    refusal("DigestMismatch", 1, "docker.io/team/app:1", wrong["docker-content-digest"]),
  );
});

test("resolution: other bytes for a digest", async () => {
  await using registry = await imaged();
  const { digest } = registry.image("team/app", undefined, [LAYER], AMD64);
  await using liar = await imaged({ intercept: answering("{}") });
  await assert.rejects(resolve(liar, `team/app@${digest}`), refusal("DigestMismatch", 1, digest));
});

for (const [what, change, kind, text] of [
  ["another size", { size: 5 }, "DigestMismatch", "should have 5 bytes"],
  ["a size beyond the limit", { size: 5_000_000 }, "BadImage", "5000000 bytes"],
  ["another digest", { digest: `sha256:${"c".repeat(64)}` }, "NoSuchImage", "sha256:ccc"],
  ["no digest", { digest: "latest" }, "BadImage", '"latest" is not a digest'],
  ["a path for a digest", { digest: "../../../token" }, "BadImage", "is not a digest"],
] as const) {
  test(`resolution: a configuration of ${what}`, async () => {
    await using registry = await startRegistry();
    const config = registry.blob(TYPES.config, Buffer.from("{}"), change);
    const layers = [registry.blob(TYPES.layer, LAYER)];
    registry.manifest("team/app", "1", { schemaVersion: 2, config, layers });
    await assert.rejects(resolve(registry), refusal(kind, kind === "NoSuchImage" ? 4 : 1, text));
  });
}

test("resolution: an artifact is no image", async () => {
  await using registry = await startRegistry();
  const config = registry.blob("application/vnd.cncf.helm.config.v1+json", Buffer.from("{}"));
  registry.manifest("team/app", "1", { schemaVersion: 2, config, layers: [] });
  await assert.rejects(resolve(registry), refusal("Unsupported", 1, "artifact"));
});
