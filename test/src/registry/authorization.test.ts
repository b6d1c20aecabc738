/** Challenges, tokens and credentials: what is sent to whom, and realms that are wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GantryError } from "../../../src/base/errors.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { startRegistry } from "../../fixtures/registry.ts";
import { basic, imaged, resolve } from "../../fixtures/resolution.ts";
import { makeAuthority } from "../../fixtures/web.ts";

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

for (const place of ["blobs", "manifests"]) {
  test(`authorization: who answers where ${place} are redirected to names no realm`, async () => {
    await using realm = await startRegistry({ token: { user: "me:secret" } });
    await using storage = await startRegistry({ token: { realm: `${realm.url}/token` } });
    await using registry = await imaged({
      intercept: (_, response, url) => {
        if (!url.pathname.includes(`/${place}/`)) return false;
        response.writeHead(307, { location: `${storage.url}${url.pathname}` }).end();
        return true;
      },
    });
    for (const credentials of [basic("me", "secret"), { kind: "identity-token", token: "secret" } as const]) {
      await assert.rejects(
        resolve(registry, undefined, { sources: [{ credentials }] }),
        (error: GantryError) => {
          assert.match(error.hint ?? "", /leads there, where its credentials are not sent$/);
          return refusal("AccessDenied", 6, `${storage.url}/v2/team/app/${place}/`, "answers 401")(error);
        },
      );
    }
    assert.deepEqual(realm.seen, []);
    assert.ok(storage.seen.every(({ headers }) => headers.authorization === undefined));
  });
}

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
