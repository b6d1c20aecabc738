/** Servers that let nobody in: what is said of it, and to whom credentials and signatures go. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openWeb } from "../../../src/fetcher/web.ts";
import type { Server } from "../../../src/inbox/protocol.ts";
import { openClient } from "../../../src/transfer/client.ts";
import { type Resource, siteHandler } from "../../fixtures/aci-site.ts";
import { refusal } from "../../fixtures/refusal.ts";
import type { S3Key } from "../../fixtures/s3-signature.ts";
import { startWeb } from "../../fixtures/web.ts";

const KEY: S3Key = { accessKeyId: "AKID", secretAccessKey: "deep secret", region: "eu-west-1" };
const FILE = "/etc/gantry/auth.d/s3.json";
const { accessKeyId, secretAccessKey, region } = KEY;
const CREDENTIALS = { kind: "aws", accessKeyId, secretAccessKey, region } as const;

async function open(resource: Resource, configured: Partial<Server> = {}) {
  const server = await startWeb(siteHandler(new Map([["/app.aci", resource]])));
  const client = openClient({ limits: { attempts: 1 } });
  const host = new URL(server.url).host;
  const servers = [{ host, plainHttp: true, credentials: CREDENTIALS, file: FILE, ...configured }];
  const web = openWeb(client, { servers, others: { plainHttp: true } });
  return {
    ...{ web, host, url: `${server.url}/app.aci`, seen: server.seen },
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("documents and images are asked for with a signature, pages without", async () => {
  await using at = await open({ body: "good", signed: KEY });
  const { status, close } = await at.web.open(at.url);
  assert.equal(status, 200);
  close();
  assert.equal((await at.web.read(at.url, 100)).bytes.toString(), "good");
  assert.equal((await at.web.readPage(at.url, 100)).status, 403);
  const signed = at.seen.map(({ headers }) => /^AWS4-/.test(headers.authorization ?? ""));
  assert.deepEqual(signed, [true, true, false]);
});

const MINUTE = 60_000;
const wrong = { ...CREDENTIALS, secretAccessKey: "other secret" };

for (const [what, resource, configured, texts] of [
  [
    "a wrong secret",
    { signed: KEY },
    { credentials: wrong },
    ["answers 403 (SignatureDoesNotMatch)", `are those of "${FILE}"`],
  ],
  [
    "a server whose clock is ahead",
    { signed: { ...KEY, ahead: 47 * MINUTE } },
    {},
    ["47 minutes behind that of"],
  ],
  [
    "a server whose clock is behind",
    { signed: { ...KEY, ahead: -90 * MINUTE } },
    {},
    ["90 minutes ahead of that of"],
  ],
  [
    "a server that does not tell its time",
    { status: 403, headers: { date: "" }, body: "<Code>RequestTimeTooSkewed</Code>" },
    {},
    ["(RequestTimeTooSkewed)", "differ too much", "timedatectl"],
  ],
  [
    "another region",
    { signed: { ...KEY, region: "ap-southeast-2" } },
    {},
    ["answers 400 (AuthorizationHeaderMalformed)", FILE, '(awsRegion) is "ap-southeast-2"'],
  ],
  [
    "a bucket that is elsewhere",
    {
      status: 301,
      headers: { "x-amz-bucket-region": "ap-southeast-2" },
      body: "<Code>PermanentRedirect</Code>",
    },
    {},
    ["answers 301 (PermanentRedirect)", FILE, '"ap-southeast-2"'],
  ],
  ["a complaint that never ends", { status: 403, body: "x".repeat(1 << 20) }, {}, ["answers 403 ", FILE]],
  ["a complaint that forges lines", { status: 403, body: "<Code>a\nb</Code>" }, {}, ["answers 403 "]],
  [
    "a password that is wrong",
    { authorization: "Basic other" },
    { credentials: { kind: "basic", user: "u", password: "deep secret" } },
    ["answers 401 ", `are those of "${FILE}"`],
  ],
  [
    "no credentials",
    { authorization: "Basic other" },
    { credentials: undefined, file: undefined },
    ["answers 401 ", "go into a file of auth.d"],
  ],
] satisfies readonly (readonly [string, Resource, Partial<Server>, readonly string[]])[]) {
  test(`denied: ${what}`, async () => {
    await using at = await open(resource, configured);
    const said = refusal("AccessDenied", 6, at.host, "/app.aci", ...texts);
    await assert.rejects(
      at.web.open(at.url),
      (error: Error) => said(error) && !/secret|\n/.test(`${error.message}${JSON.stringify(error)}`),
    );
  });
}

test("denied: a server that is redirected to, which gets no signature", async () => {
  await using elsewhere = await startWeb((_, response) => void response.writeHead(403).end());
  const location = `${elsewhere.url}/other.aci`;
  await using at = await open({ status: 307, headers: { location } });
  const said = refusal("AccessDenied", 6, `"${location}" answers 403`, `"${at.host}" redirects there`);
  await assert.rejects(at.web.open(at.url), said);
  assert.equal(elsewhere.seen[0]?.headers.authorization, undefined);
});
