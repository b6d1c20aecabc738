/** Signed requests: against the examples that Amazon publishes, and before a server that checks them by itself. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { SigningKey } from "../../../src/inbox/protocol.ts";
import { type ClientSettings, openClient } from "../../../src/transfer/client.ts";
import { fetchDocument } from "../../../src/transfer/document.ts";
import { download } from "../../../src/transfer/download.ts";
import { follow } from "../../../src/transfer/redirect.ts";
import { regionOf, signed } from "../../../src/transfer/signing.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { type S3Key, signatureFault } from "../../fixtures/s3-signature.ts";
import { type Handler, type Seen, startProxy, startWeb } from "../../fixtures/web.ts";

/** Amazon S3's reference, "Examples: Signature Calculations in AWS Signature Version 4". */
const EXAMPLE: SigningKey = {
  kind: "aws",
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
const EXAMPLES: readonly (readonly [path: string, headers: Record<string, string>, signature: string])[] = [
  ["test.txt", { range: "bytes=0-9" }, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"],
  ["?lifecycle", {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"],
  ["?max-keys=2&prefix=J", {}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"],
];

test("signing: Amazon's own examples", async () => {
  for (const [path, headers, signature] of EXAMPLES) {
    const url = new URL(`https://examplebucket.s3.amazonaws.com/${path}`);
    const sent = await signed({ url, headers, access: {} }, EXAMPLE, new Date("2013-05-24T00:00:00Z"));
    const names = ["host", ...Object.keys(headers), "x-amz-content-sha256", "x-amz-date"].join(";");
    const scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
    assert.equal(
      sent.headers?.["authorization"],
      `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${names}, Signature=${signature}`,
    );
    assert.equal(sent.headers?.["x-amz-date"], "20130524T000000Z");
    assert.equal(
      sent.headers?.["x-amz-content-sha256"],
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
  }
});

test("signing: the region is what a name of Amazon's tells", () => {
  const regions = {
    "s3.amazonaws.com": "us-east-1",
    "bucket.s3.amazonaws.com": "us-east-1",
    "bucket.s3-external-1.amazonaws.com": "us-east-1",
    "eu-west-1.s3.amazonaws.com": "us-east-1",
    "s3-eu-west-1.amazonaws.com": "eu-west-1",
    "bucket.s3-ap-southeast-2.amazonaws.com": "ap-southeast-2",
    "s3.eu-central-1.amazonaws.com": "eu-central-1",
    "a.bucket.s3.us-gov-west-1.amazonaws.com": "us-gov-west-1",
    "bucket.s3.dualstack.us-west-2.amazonaws.com": "us-west-2",
    "s3-fips.ca-central-1.amazonaws.com": "ca-central-1",
    "bucket.s3.cn-north-1.amazonaws.com.cn": "cn-north-1",
    "minio.example": "us-east-1",
    "s3.eu-west-1.amazonaws.com.evil.example": "us-east-1",
  };
  for (const [host, region] of Object.entries(regions)) assert.equal(regionOf(host), region, host);
});

test("signing: a path that is no encoded text is refused by its URL", async () => {
  for (const path of ["100%.aci", "%ff.aci"]) {
    const url = new URL(`https://a.test/${path}`);
    await assert.rejects(signed({ url, access: {} }, EXAMPLE), refusal("FetchFailed", 1, url.href, "signed"));
  }
});

const KEY: S3Key = { accessKeyId: "AKID", secretAccessKey: "deep secret/+", region: "eu-west-1" };
const signingKey: SigningKey = { kind: "aws", ...KEY };
const SETTINGS: ClientSettings = { limits: { pause: 1, attempts: 3 } };

/** Lets in who signs. */
const checked =
  (handler: Handler, key = KEY): Handler =>
  (request, response) => {
    const fault = signatureFault(request, key);
    if (fault !== undefined) return void response.writeHead(403).end(fault);
    handler(request, response);
  };

const good: Handler = (_, response) => void response.end("good");

const PATHS = [
  "/app-1.0.aci",
  "/app-1.0+git~1.aci",
  "/a%20b/%C3%A4.aci",
  "/a(b)'c!*.aci",
  "/100%25|[x].aci",
  "/a%2Bb|%25.aci",
  "//a//b",
  "/",
  "/app?versionId=a%2Bb&x=1%2F2&a",
  "/app?",
];

test("signing: a server that recomputes it accepts every path and query, also behind a proxy", async () => {
  await using web = await startWeb(checked(good));
  await using proxy = await startProxy({ names: { "s3.test:80": web.port } });
  await using direct = openClient(SETTINGS);
  await using through = openClient({ ...SETTINGS, proxy: { http: proxy.url } });
  const get = async (url: string, client = direct) =>
    (
      await fetchDocument(client, { url: new URL(url), access: {}, signingKey, limit: 1000 })
    ).bytes.toString();
  for (const path of PATHS) assert.equal(await get(`${web.url}${path}`), "good", path);
  const { headers } = web.seen[0] as Seen;
  assert.match(headers.authorization ?? "", /SignedHeaders=host;x-amz-content-sha256;x-amz-date,/);
  // The proxy of the tests asks in its own words; what it was sent is what counts.
  await get("http://s3.test/a b+c.aci", through);
  const [asked] = proxy.seen;
  assert.equal(asked?.url, "http://s3.test/a%20b%2Bc.aci");
  const { pathname } = new URL(asked?.url ?? "");
  assert.equal(signatureFault({ ...(asked as Seen), url: pathname }, KEY), undefined);
});

for (const [what, change, fault] of [
  ["another secret", { secretAccessKey: "wrong" }, "SignatureDoesNotMatch"],
  ["another key", { accessKeyId: "OTHER" }, "InvalidAccessKeyId"],
  ["another region", { region: "us-east-1" }, "AuthorizationHeaderMalformed"],
] as const) {
  test(`signing: the server of the tests tells ${what} from the right one`, async () => {
    await using web = await startWeb(checked(good));
    await using client = openClient(SETTINGS);
    const key = { ...signingKey, ...change };
    const request = { url: new URL(web.url), access: {}, signingKey: key, limit: 1000 };
    const { status, bytes } = await fetchDocument(client, request);
    assert.deepEqual([status, bytes.toString()], [403, fault]);
  });
}

test("signing: another attempt, and the rest of a cut transfer, are signed anew", async () => {
  const content = randomBytes(300_000);
  let count = 0;
  const serve: Handler = ({ headers }, response) => {
    if (++count === 1) return void response.writeHead(503).end();
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const part = content.subarray(start);
    const range = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
    response.writeHead(start === 0 ? 200 : 206, { "content-length": part.length, etag: '"x"', ...range });
    if (start > 0) return void response.end(part);
    return void response.write(part.subarray(0, 100_000), () => response.destroy());
  };
  await using web = await startWeb(checked(serve));
  await using client = openClient(SETTINGS);
  const url = new URL(`${web.url}/app.aci`);
  const open = (headers: Readonly<Record<string, string>>) =>
    follow(client, { url, access: {}, headers, signingKey });
  const chunks: Buffer[] = [];
  for await (const chunk of download(client, { what: "x", open, limit: 1e6, mutable: true }))
    chunks.push(chunk);
  assert.ok(Buffer.concat(chunks).equals(content));
  const [, first, second] = web.seen.map(({ headers }) => headers);
  assert.match(second?.range ?? "", /^bytes=[1-9]\d*-$/);
  assert.match(second?.authorization ?? "", /SignedHeaders=host;range;/);
  assert.notEqual(first?.authorization, second?.authorization);
});

test("signing: a redirect on the same server is signed for its own URL, one to another is not signed at all", async () => {
  await using other = await startWeb(good);
  const serve: Handler = ({ url }, response) => {
    const next = url === "/1" ? "/2" : `${other.url}/3`;
    response.writeHead(307, { location: next }).end();
  };
  await using web = await startWeb(checked(serve));
  await using client = openClient(SETTINGS);
  const answer = await follow(client, { url: new URL(`${web.url}/1`), access: {}, signingKey });
  assert.deepEqual([answer.status, answer.url.href], [200, `${other.url}/3`]);
  answer.close();
  assert.deepEqual(
    web.seen.map(({ url }) => url),
    ["/1", "/2"],
  );
  const names = Object.keys(other.seen[0]?.headers ?? {});
  assert.deepEqual(
    names.filter((name) => /^(authorization|x-amz-.*)$/.test(name)),
    [],
  );
});
