/** Names to images against a registry that may be wrong in every way: the failure's kind, and a text that names it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { parseRepository } from "../../../src/image/repository.ts";
import type { Source, TimeLimits } from "../../../src/inbox/protocol.ts";
import { resolveImage } from "../../../src/registry/resolution.ts";
import { openSources } from "../../../src/registry/sources.ts";
import { openClient } from "../../../src/transfer/client.ts";
import { refusal } from "../../fixtures/refusal.ts";
import {
  complain,
  type FakeRegistry,
  type RegistryOptions,
  startRegistry,
  TYPES,
} from "../../fixtures/registry.ts";
import { makeAuthority } from "../../fixtures/web.ts";

const HOST = { os: "linux", architecture: "amd64", variants: ["v2", "v1"] };
const LAYER = Buffer.from("a layer");
const AMD64 = { architecture: "amd64" };

type Options = { readonly sources?: readonly Partial<Source>[]; readonly limits?: TimeLimits };

async function resolve(registry: FakeRegistry, name = "team/app:1", options: Options = {}) {
  const log: string[] = [];
  const limits = { pause: 1, attempts: 2, ...options.limits };
  await using client = openClient({ limits, log: (text) => log.push(text) });
  const reference = parseRepository(name);
  const sources = (options.sources ?? [{}]).map(
    (source): Source => ({
      url: registry.url,
      capabilities: ["pull", "resolve"],
      plainHttp: true,
      ...source,
    }),
  );
  const resolution = await resolveImage(openSources(client, sources, reference.repository), reference, HOST);
  return { ...resolution, log };
}

async function imaged(options: RegistryOptions = {}): Promise<FakeRegistry> {
  const registry = await startRegistry(options);
  registry.image("team/app", "1", [LAYER], AMD64);
  return registry;
}

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

/** Sends other bytes for the manifest by tag. */
function answering(
  bytes: Buffer | string,
  headers: Record<string, string> = {},
): NonNullable<RegistryOptions["intercept"]> {
  return (_, response, url) => {
    if (!url.pathname.includes("/manifests/")) return false;
    response.writeHead(200, { "content-type": TYPES.manifest, ...headers }).end(bytes);
    return true;
  };
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

test("authorization: anonymous tokens, for the scope that is asked for", async () => {
  await using registry = await imaged({ token: {} });
  await resolve(registry);
  assert.deepEqual(registry.tokens.map(String), ["service=test&scope=repository%3Ateam%2Fapp%3Apull"]);
  assert.deepEqual(
    registry.seen.map(({ url, headers }) => [url.split("/")[3] ?? "token", headers.authorization]),
    [
      ["app", undefined],
      ["token", undefined],
      ["app", "Bearer token-1"],
      ["app", "Bearer token-1"],
    ],
  );
});

const basic = (user: string, password: string) => ({ kind: "basic", user, password }) as const;

test("authorization: tokens for a user, who is told to the realm only", async () => {
  await using registry = await imaged({ token: { user: "me:secret" } });
  await resolve(registry, undefined, { sources: [{ credentials: basic("me", "secret") }] });
  assert.equal(registry.tokens[0]?.get("account"), "me");
  const sent = registry.seen.filter(({ headers }) => headers.authorization?.startsWith("Basic"));
  assert.deepEqual(
    sent.map(({ url }) => url.split("?")[0]),
    ["/token"],
  );
});

test("authorization: a wrong password, and none", async () => {
  await using registry = await imaged({ token: { user: "me:secret" } });
  const sources = [{ credentials: basic("me", "wrong-password") }];
  await assert.rejects(resolve(registry, undefined, { sources }), (error: Error) => {
    assert.doesNotMatch(JSON.stringify([error.message, error]), /wrong-password/);
    return refusal("AccessDenied", 6, "/token", "with the credentials configured", "UNAUTHORIZED")(error);
  });
  await assert.rejects(resolve(registry), refusal("AccessDenied", 6, "/token", "without credentials"));
});

test("authorization: a token that is over is replaced, once for each request", async () => {
  await using registry = await imaged({ token: { uses: 1 } });
  await resolve(registry);
  assert.equal(registry.tokens.length, 2);
});

test("authorization: a registry that never takes a token is not asked for ever", async () => {
  await using registry = await imaged({ token: { uses: 0 } });
  await assert.rejects(resolve(registry), refusal("AccessDenied", 6, "docker.io/team/app:1", "UNAUTHORIZED"));
  assert.equal(registry.tokens.length, 1);
});

test("authorization: the realm may be another host's", async () => {
  await using realm = await startRegistry({ token: { user: "me:secret" } });
  await using registry = await imaged({ token: { realm: `${realm.url}/token` } });
  await resolve(registry, undefined, { sources: [{ credentials: basic("me", "secret") }] });
  assert.equal(realm.tokens.length, 1);
  assert.ok(registry.seen.every(({ headers }) => headers.authorization?.startsWith("Basic") !== true));
});

test("authorization: a realm without encryption gets nothing unless that is allowed", async () => {
  const authority = await makeAuthority();
  await using realm = await startRegistry({ token: {} });
  await using registry = await imaged({ identity: authority.server, token: { realm: `${realm.url}/token` } });
  const source = { ca: authority.ca, plainHttp: false, credentials: basic("me", "secret") };
  const said = refusal("FetchFailed", 1, `${realm.url}/token`, "not encrypted", "--insecure-options=http");
  await assert.rejects(resolve(registry, undefined, { sources: [source] }), said);
  assert.equal(realm.seen.length, 0);
  await resolve(registry, undefined, { sources: [{ ...source, plainHttp: true }] });
});

for (const realm of ["", "ftp://x/token", "/token", "javascript:x"]) {
  test(`authorization: ${JSON.stringify(realm)} is no realm`, async () => {
    await using registry = await imaged({ token: { realm } });
    await assert.rejects(
      resolve(registry),
      refusal("FetchFailed", 1, `127.0.0.1:${registry.port}`, "no place for tokens"),
    );
  });
}

for (const [what, answer, kind, text] of [
  ["no JSON", "<html>", "BadImage", "not valid JSON"],
  ["no token", "{}", "FetchFailed", "can't be a token"],
  ["a token of two lines", '{"token":"a\\r\\nHost: x"}', "FetchFailed", "can't be a token"],
  ["an endless token", `{"token":"${"x".repeat(300_000)}"}`, "BadImage", "the limit is 262144"],
] as const) {
  test(`authorization: a realm that gives ${what}`, async () => {
    await using registry = await imaged({
      token: {},
      intercept: (_, response, url) => {
        if (url.pathname !== "/token") return false;
        response.end(answer);
        return true;
      },
    });
    await assert.rejects(resolve(registry), refusal(kind, 1, "/token", text));
  });
}

test("authorization: an identity token is exchanged by a form", async () => {
  let form = "";
  await using registry = await imaged({
    token: {},
    intercept: (request, response, url) => {
      if (url.pathname !== "/token") return false;
      request.on("data", (chunk) => (form += chunk));
      request.on("end", () => response.end('{"access_token":"token-1"}'));
      return true;
    },
  });
  await resolve(registry, undefined, {
    sources: [{ credentials: { kind: "identity-token", token: "refresh me" } }],
  });
  const sent = Object.fromEntries(new URLSearchParams(form));
  assert.deepEqual([sent["grant_type"], sent["refresh_token"]], ["refresh_token", "refresh me"]);
});

test("authorization: basic, only after it is asked for", async () => {
  await using registry = await imaged({ basic: "me:p:ss" });
  await resolve(registry, undefined, { sources: [{ credentials: basic("me", "p:ss") }] });
  assert.deepEqual(
    registry.seen.map(({ headers }) => headers.authorization !== undefined),
    [false, true, true],
  );
  await assert.rejects(resolve(registry), refusal("AccessDenied", 6, "docker.io/team/app:1"));
});

test("authorization: a bearer token of the operator's", async () => {
  await using registry = await imaged({ token: {} });
  await resolve(registry, undefined, { sources: [{ credentials: { kind: "bearer", token: "token-7" } }] });
  assert.equal(registry.tokens.length, 0);
});

test("sources: plain http only where it is allowed", async () => {
  await using registry = await imaged();
  const said = refusal("FetchFailed", 1, registry.url, "not encrypted", "--insecure-options=http");
  await assert.rejects(resolve(registry, undefined, { sources: [{ plainHttp: false }] }), said);
  assert.equal(registry.seen.length, 0);
});

test("sources: https is tried first, and http where it is allowed and nobody speaks TLS", async () => {
  await using registry = await imaged();
  const url = registry.url.replace("http:", "https:");
  const found = await resolve(registry, undefined, { sources: [{ url }] });
  assert.match(found.log.join(), /does not answer https/);
  await assert.rejects(
    resolve(registry, undefined, { sources: [{ url, plainHttp: false }] }),
    refusal("FetchFailed", 1, url),
  );
});

test("sources: a mirror has the repository below its own path", async () => {
  await using registry = await startRegistry();
  registry.image("cache/hub/team/app", "1", [LAYER], AMD64);
  await resolve(registry, undefined, { sources: [{ url: `${registry.url}/cache/hub/` }] });
  await resolve(registry, undefined, { sources: [{ repository: "cache/hub/team/app" }] });
});

test("sources: mirrors are asked in order, and a mirror without `resolve` never for a tag", async () => {
  await using origin = await imaged();
  await using mirror = await startRegistry();
  mirror.image("team/app", "1", [LAYER], AMD64);
  const found = await resolve(origin, undefined, {
    sources: [{ url: mirror.url, capabilities: ["pull"] }, {}],
  });
  assert.equal(found.endpoint.host, `127.0.0.1:${origin.port}`);
  assert.deepEqual(
    mirror.seen.map(({ url }) => url.split("/")[4]),
    ["blobs"],
  );
  const { digest } = found.manifest;
  await resolve(origin, `team/app@${digest}`, { sources: [{ url: mirror.url, capabilities: ["pull"] }, {}] });
  assert.equal(mirror.seen.length, 3);
  const mirrored = await resolve(origin, undefined, { sources: [{ url: mirror.url }, {}] });
  assert.equal(mirrored.endpoint.host, `127.0.0.1:${mirror.port}`);
});

for (const status of [401, 403, 404, 429, 500, 503]) {
  test(`sources: a mirror that answers ${status} is passed over, and the log tells`, async () => {
    await using origin = await imaged();
    await using mirror = await startRegistry({
      intercept: (_, response) => {
        complain(response, status, "NO");
        return true;
      },
    });
    const found = await resolve(origin, undefined, { sources: [{ url: mirror.url }, {}] });
    assert.equal(found.endpoint.host, `127.0.0.1:${origin.port}`);
    assert.match(
      found.log.join("\n"),
      new RegExp(`127.0.0.1:${mirror.port}.*answers ${status}.*is asked next`),
    );
  });
}

test("sources: a mirror with wrong content, one that is not there and one without its certificate", async () => {
  const authority = await makeAuthority();
  await using origin = await imaged();
  const { digest } = origin.image("team/app", "1", [LAYER], AMD64);
  await using liar = await startRegistry({ intercept: answering("{}") });
  await using secret = await startRegistry({ identity: authority.server });
  const sources = [
    { url: liar.url },
    { url: "http://127.0.0.1:1" },
    { url: secret.url, plainHttp: false },
    {},
  ];
  const found = await resolve(origin, `team/app@${digest}`, { sources });
  assert.equal(found.endpoint.host, `127.0.0.1:${origin.port}`);
  assert.match(found.log.join("\n"), /should have digest.*\n.*refused.*\n.*certificate/);
});

test("sources: credentials of the registry never reach a mirror, nor the mirror's the registry", async () => {
  await using origin = await imaged({ basic: "origin:secret" });
  await using mirror = await startRegistry({ basic: "mirror:secret" });
  const sources = [
    { url: mirror.url, credentials: basic("mirror", "secret") },
    { credentials: basic("origin", "secret") },
  ];
  await resolve(origin, undefined, { sources });
  const sent = (registry: FakeRegistry) => [
    ...new Set(
      registry.seen.map(({ headers: { authorization = "Basic " } }) => atob(authorization.slice(6))),
    ),
  ];
  assert.deepEqual(
    [sent(mirror), sent(origin)],
    [
      ["", "mirror:secret"],
      ["", "origin:secret"],
    ],
  );
});

test("sources: nobody who may say what a tag is", async () => {
  await using registry = await imaged();
  const sources = [{ capabilities: ["pull"] as ["pull"] }];
  await assert.rejects(
    resolve(registry, undefined, { sources }),
    refusal("BadConfig", 1, "team/app", "resolve"),
  );
});

test("sources: the last one's failure is told", async () => {
  await using registry = await imaged();
  const sources = [{ url: "http://127.0.0.1:1" }, {}];
  await assert.rejects(resolve(registry, "team/app:2", { sources }), refusal("NoSuchImage", 4, "team/app:2"));
});
