/** Mirrors and registries in order: who is asked for what, who is passed over, and what none of them is told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { refusal } from "../../fixtures/refusal.ts";
import { complain, type FakeRegistry, startRegistry } from "../../fixtures/registry.ts";
import { AMD64, answering, basic, imaged, LAYER, resolve } from "../../fixtures/resolution.ts";
import { makeAuthority } from "../../fixtures/web.ts";

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

test("sources: a mirror that asks for patience is passed over", async () => {
  await using origin = await imaged();
  await using mirror = await startRegistry({
    intercept: (_, response) => {
      response.writeHead(429, { "retry-after": "50" }).end();
      return true;
    },
  });
  await resolve(origin, undefined, { sources: [{ url: mirror.url }, {}] });
  assert.equal(mirror.seen.length, 1);
});

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
