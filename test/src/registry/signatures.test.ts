/** Signatures in registries and beside them: what is found, what is bounded, and that nothing here fails a transfer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Signature } from "../../../src/image/signature.ts";
import type { Source } from "../../../src/inbox/protocol.ts";
import { nextPage } from "../../../src/registry/referrers.ts";
import { gatherSignatures, type SignatureOptions } from "../../../src/registry/signatures.ts";
import { openSources } from "../../../src/registry/sources.ts";
import { openClient } from "../../../src/transfer/client.ts";
import { digestOf } from "../../fixtures/images.ts";
import { complain, type FakeRegistry, type Piece, startRegistry, TYPES } from "../../fixtures/registry.ts";
import { startWeb } from "../../fixtures/web.ts";

const REPOSITORY = "team/app";
const PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIGNATURE = Buffer.from("a signature").toString("base64");
const EMPTY = {
  mediaType: "application/vnd.oci.empty.v1+json",
  digest: digestOf(Buffer.from("{}")),
  size: 2,
};

type Options = Partial<SignatureOptions> & { readonly sources?: readonly Partial<Source>[] };

async function gather(registry: FakeRegistry, subjects: readonly string[], options: Options = {}) {
  const { sources = [{}], ...schemes } = options;
  const log: string[] = [];
  const kept = new Map<string, Buffer>();
  await using client = openClient({ limits: { pause: 1, attempts: 2 }, log: (text) => log.push(text) });
  const servers = sources.map(
    (source): Source => ({
      url: registry.url,
      capabilities: ["pull", "resolve"],
      plainHttp: true,
      ...source,
    }),
  );
  const search = {
    ...{ client, repository: REPOSITORY, what: '"team/app"', access: {} },
    sources: openSources(client, servers, REPOSITORY),
    keep: async (digest: string, bytes: Buffer) => void kept.set(digest, bytes),
    log: client.log,
  };
  const wanted = { lookaside: [], cosign: true, referrers: true, ...schemes };
  const signatures = await gatherSignatures(search, subjects, wanted);
  for (const [digest, bytes] of kept) assert.equal(digestOf(bytes), digest);
  return { signatures, kept, log };
}

function payload(registry: FakeRegistry, text: string, change: Record<string, unknown> = {}): Piece {
  const annotations = { "dev.cosignproject.cosign/signature": SIGNATURE };
  return registry.blob(PAYLOAD, Buffer.from(text), { annotations, ...change });
}

/** Puts signatures under cosign's tag of an image. */
function sign(registry: FakeRegistry, subject: Piece, layers: readonly Piece[]): void {
  const tag = `${subject.digest.replace(":", "-")}.sig`;
  registry.manifest(REPOSITORY, tag, { schemaVersion: 2, config: EMPTY, layers });
}

/** A manifest with a bundle, that refers to an image. */
function bundle(registry: FakeRegistry, subject: Piece, text: string, change: object = {}): Piece {
  const layers = [registry.blob(BUNDLE, Buffer.from(text))];
  const document = { schemaVersion: 2, artifactType: BUNDLE, config: EMPTY, layers, subject, ...change };
  return { ...registry.manifest(REPOSITORY, undefined, document), artifactType: BUNDLE };
}

const cosign = (text: string): Signature => ({
  ...{ kind: "cosign", payload: digestOf(Buffer.from(text)), signature: SIGNATURE },
});
const sigstore = (text: string): Signature => ({
  kind: "sigstore-bundle",
  bundle: digestOf(Buffer.from(text)),
});

test("signatures: none is no failure", async () => {
  for (const referrers of [0, 10]) {
    await using registry = await startRegistry({ referrers });
    const { digest } = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
    const { signatures, kept, log } = await gather(registry, [digest]);
    assert.deepEqual([signatures, kept.size, log], [[], 0, []]);
  }
});

test("signatures: all of cosign's tag, and nothing else that lies there", async () => {
  await using registry = await startRegistry();
  const image = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
  const examples = { annotations: { "dev.sigstore.cosign/signature": SIGNATURE } };
  sign(registry, image, [
    payload(registry, "one"),
    payload(registry, "two", examples),
    payload(registry, "unsigned", { annotations: {} }),
    payload(registry, "no base64", { annotations: { "dev.cosignproject.cosign/signature": "<&>" } }),
    registry.blob("text/plain", Buffer.from("a note")),
  ]);
  const { signatures, kept } = await gather(registry, [image.digest]);
  assert.deepEqual(signatures, [cosign("one"), cosign("two")]);
  assert.equal(kept.size, 2);
});

test("signatures: of an index and of the manifest it led to", async () => {
  await using registry = await startRegistry();
  const manifest = registry.image(REPOSITORY, undefined, [Buffer.from("x")]);
  const index = registry.manifest(REPOSITORY, "1", { schemaVersion: 2, manifests: [manifest] }, TYPES.index);
  sign(registry, index, [payload(registry, "index")]);
  sign(registry, manifest, [payload(registry, "manifest")]);
  const { signatures } = await gather(registry, [manifest.digest, index.digest]);
  assert.deepEqual(signatures, [cosign("manifest"), cosign("index")]);
});

test("signatures: bundles by the referrers' pages, whether or not the server filters", async () => {
  await using registry = await startRegistry({ referrers: 2 });
  const image = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
  const sbom = {
    ...registry.manifest(REPOSITORY, undefined, { schemaVersion: 2, layers: [] }),
    artifactType: "text/spdx",
  };
  for (const one of [sbom, bundle(registry, image, "a"), sbom, sbom, bundle(registry, image, "b")]) {
    registry.refer(REPOSITORY, image.digest, one);
  }
  const { signatures } = await gather(registry, [image.digest]);
  assert.deepEqual(signatures, [sigstore("a"), sigstore("b")]);
});

test("signatures: by the tag where there is no referrers API", async () => {
  await using registry = await startRegistry();
  const image = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
  const manifests = [bundle(registry, image, "a")];
  registry.manifest(REPOSITORY, image.digest.replace(":", "-"), { schemaVersion: 2, manifests }, TYPES.index);
  assert.deepEqual((await gather(registry, [image.digest])).signatures, [sigstore("a")]);
});

test("signatures: a referrer that is about another image is none of this", async () => {
  await using registry = await startRegistry({ referrers: 10 });
  const image = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
  const other = registry.image(REPOSITORY, "2", [Buffer.from("y")]);
  registry.refer(REPOSITORY, image.digest, bundle(registry, other, "a"));
  registry.refer(REPOSITORY, image.digest, bundle(registry, image, "b", { subject: undefined }));
  assert.deepEqual((await gather(registry, [image.digest])).signatures, []);
});

test("signatures: pages without end are bounded", async () => {
  let pages = 0;
  await using registry = await startRegistry({
    intercept: (_, response, url) => {
      if (!url.pathname.includes("/referrers/")) return false;
      response
        .writeHead(200, { link: `<?n=${++pages}>; rel="next"` })
        .end('{"schemaVersion":2,"manifests":[]}');
      return true;
    },
  });
  const { digest } = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
  const { signatures, log } = await gather(registry, [digest]);
  assert.deepEqual([signatures, pages], [[], 16]);
  assert.match(log.join(), /more than 16 pages/);
});

for (const referrers of [1000, 0]) {
  test(`signatures: a long list of what are none is not asked for whole, by ${referrers > 0 ? "API" : "tag"}`, async () => {
    await using registry = await startRegistry({ referrers });
    const image = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
    const other = registry.image(REPOSITORY, "2", [Buffer.from("y")]);
    const manifests = Array.from({ length: 200 }, (_, n) => bundle(registry, other, `bundle ${n}`));
    for (const one of manifests) registry.refer(REPOSITORY, image.digest, one);
    const tag = image.digest.replace(":", "-");
    registry.manifest(REPOSITORY, tag, { schemaVersion: 2, manifests }, TYPES.index);
    const { signatures, log } = await gather(registry, [image.digest], { cosign: false });
    const asked = registry.seen.filter(({ url }) => url.includes("/manifests/sha256:"));
    assert.deepEqual([signatures, asked.length], [[], 32]);
    assert.match(log.join(), new RegExp(`more than 32 signatures refer to ${image.digest}`));
  });
}

test("signatures: a page on another server is not asked for", async () => {
  await using other = await startRegistry({ referrers: 10 });
  await using registry = await startRegistry({
    intercept: (_, response, url) => {
      if (!url.pathname.includes("/referrers/")) return false;
      response
        .writeHead(200, { link: `<${other.url}/v2/>; rel="next"` })
        .end('{"schemaVersion":2,"manifests":[]}');
      return true;
    },
  });
  const { digest } = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
  const { log } = await gather(registry, [digest]);
  assert.match(log.join(), /another server/);
  assert.deepEqual(other.seen, []);
});

test("signatures: 32 of them, and no more", async () => {
  await using registry = await startRegistry();
  const image = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
  sign(
    registry,
    image,
    Array.from({ length: 200 }, (_, n) => payload(registry, `payload ${n}`)),
  );
  const { signatures, kept, log } = await gather(registry, [image.digest]);
  assert.equal(signatures.length, 32);
  assert.ok(kept.size <= 33, String(kept.size));
  assert.match(log.join(), /more than 32 signatures/);
});

for (const [what, layer, text] of [
  ["too large", { size: 5_000_000 }, /5000000 bytes/],
  ["of another size", { size: 1 }, /should have 1 bytes/],
  ["missing", { digest: `sha256:${"a".repeat(64)}` }, /sha256:aaa/],
  ["of no digest", { digest: "../../../etc/passwd" }, /is not a digest/],
] as const) {
  test(`signatures: a payload that is ${what} is left out, those before it are kept`, async () => {
    await using registry = await startRegistry();
    const image = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
    sign(registry, image, [payload(registry, "good"), payload(registry, "bad", layer)]);
    const { signatures, log } = await gather(registry, [image.digest]);
    assert.deepEqual(signatures, [cosign("good")]);
    assert.match(log.join(), text);
  });
}

for (const [what, bytes] of [
  ["no JSON", "<html>"],
  ["deep nesting", "[".repeat(1_000_000)],
  ["a prototype", '{"__proto__":{"layers":[]}}'],
  ["10,000 layers", `{"schemaVersion":2,"layers":[${Array(10_000).fill(JSON.stringify(EMPTY))}]}`],
] as const) {
  test(`signatures: a signature manifest of ${what} is left out`, async () => {
    await using registry = await startRegistry();
    const image = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
    registry.manifest(REPOSITORY, `${image.digest.replace(":", "-")}.sig`, Buffer.from(bytes));
    const { signatures, log } = await gather(registry, [image.digest]);
    assert.deepEqual(signatures, []);
    assert.match(log.join(), /signature manifest sha256-/);
  });
}

test("signatures: a server that fails at it does not fail the transfer, and another source is asked", async () => {
  await using broken = await startRegistry({
    intercept: (_, response) => {
      complain(response, 500, "BROKEN");
      return true;
    },
  });
  await using registry = await startRegistry({ referrers: 10 });
  const image = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
  sign(registry, image, [payload(registry, "good")]);
  const alone = await gather(broken, [image.digest]);
  assert.deepEqual(alone.signatures, []);
  assert.match(alone.log.join("\n"), /signatures of "team\/app" are left out: .*answers 500/);
  const both = await gather(registry, [image.digest], { sources: [{ url: broken.url }, {}] });
  assert.deepEqual(both.signatures, [cosign("good")]);
});

/** A lookaside server with signatures of one repository's digest. */
function startLookaside(digest: string, signatures: readonly Buffer[]) {
  const path = `/sigs/${REPOSITORY}@${digest.replace(":", "=")}/signature-`;
  return startWeb((request, response) => {
    const [, name = "", number = "0"] = /^(.*signature-)(\d+)$/.exec(request.url ?? "") ?? [];
    const found = name === path ? signatures[Number(number) - 1] : undefined;
    response.writeHead(found === undefined ? 404 : 200).end(found);
  });
}

test("lookaside: signature-1, -2 … until there is none", async () => {
  await using registry = await startRegistry();
  const { digest } = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
  const blobs = [Buffer.from("first"), Buffer.from("second")];
  await using server = await startLookaside(digest, blobs);
  const lookaside = [`${server.url}/nothing`, `${server.url}/sigs/`];
  const { signatures, kept } = await gather(registry, [digest], { lookaside });
  const expected = blobs.map((bytes): Signature => ({ kind: "simple-signing", signature: digestOf(bytes) }));
  assert.deepEqual([signatures, kept.size], [expected, 2]);
  assert.equal(server.seen.length, 4);
});

test("lookaside: signatures without end, and one of 50 MB", async () => {
  await using registry = await startRegistry();
  const { digest } = registry.image(REPOSITORY, "1", [Buffer.from("x")]);
  await using endless = await startWeb((request, response) => response.end(request.url));
  const { signatures, log } = await gather(registry, [digest], { lookaside: [endless.url] });
  assert.equal(signatures.length, 32);
  assert.match(log.join(), /more than 32/);
  await using huge = await startWeb((_, response) => response.end(Buffer.alloc(50_000_000)));
  const large = await gather(registry, [digest], { lookaside: [huge.url] });
  assert.deepEqual([large.signatures, large.kept.size], [[], 0]);
  assert.match(large.log.join(), /50000000 bytes, the limit is 65536/);
});

for (const [link, next] of [
  [undefined, undefined],
  ["", undefined],
  ['</v2/a?n=1&last=x>; rel="next"', "http://r.test/v2/a?n=1&last=x"],
  ["<b>; rel=next", "http://r.test/v2/b"],
  ['</first>; rel="first", </next>; title="x"; rel="prev next"', "http://r.test/next"],
  ['</next>; rel="nextish"', undefined],
  ["<http://[>; rel=next", undefined],
  ["</unfinished; rel=next", undefined],
] as const) {
  test(`nextPage: ${link}`, () => {
    assert.equal(nextPage(link, new URL("http://r.test/v2/a"))?.href, next);
  });
}

test("nextPage: long nonsense takes no long time", () => {
  for (const piece of ["<", "<>", "<>;", '<>;rel="', ";rel=", '"'])
    nextPage(piece.repeat(16_000 / piece.length), new URL("http://r.test/"));
});
