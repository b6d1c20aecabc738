/** From configuration to how the servers of ACIs are spoken to. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { registrySources } from "../../../src/config/sources.ts";
import { webServers } from "../../../src/config/web-servers.ts";
import { parseRepository } from "../../../src/image/repository.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { makeAuthority } from "../../fixtures/web.ts";

function place(t: TestContext, files: Readonly<Record<string, unknown>>): string {
  const directory = mkdtempSync(join(tmpdir(), "gantry-config-"));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), typeof content === "string" ? content : JSON.stringify(content), {
      mode: 0o600,
    });
  }
  return directory;
}

function servers(directory: string, insecureOptions: readonly string[] = [], environment = {}) {
  const roots = ["etc", "usr"].map((root) => join(directory, root));
  return webServers({ roots, insecureOptions, environment });
}

const basic = (domains: readonly string[], user: string) => ({
  rktKind: "auth",
  rktVersion: "v1",
  domains,
  type: "basic",
  credentials: { user, password: "secret" },
});

const s3 = (change: object, domains: readonly string[] = ["a.test"]) => ({
  rktKind: "auth",
  rktVersion: "v1",
  domains,
  type: "aws",
  credentials: { accessKeyID: "AKID", secretAccessKey: "deep secret", ...change },
});

test("without configuration every server is asked over TLS that is checked, by nobody in particular", async (t) => {
  assert.deepEqual(await servers(place(t, {})), { servers: [], others: {}, proxy: {} });
  const said = await servers(place(t, {}), ["tls", "http", "image"], { https_proxy: "proxy:3128" });
  assert.deepEqual(said, {
    servers: [],
    others: { insecureTls: true, plainHttp: true },
    proxy: { https: "http://proxy:3128/" },
  });
});

test("credentials are those of auth.d of the kind auth, by whole hosts; the registries' are others", async (t) => {
  const directory = place(t, {
    "etc/auth.d/a.json": basic(["example.com", "other.example:8443"], "one"),
    "usr/auth.d/a.json": basic(["example.com"], "masked"),
    "usr/auth.d/b.json": {
      rktKind: "auth",
      rktVersion: "v1",
      domains: ["token.example"],
      type: "oauth",
      credentials: { token: "t" },
    },
    "usr/auth.d/s3.json": s3({ awsRegion: "eu-west-1" }, ["a.s3.amazonaws.com"]),
    "usr/auth.d/s4.json": s3({ awsRegion: "" }, ["b.s3.amazonaws.com"]),
    "usr/auth.d/docker.json": {
      rktKind: "dockerAuth",
      rktVersion: "v1",
      registries: ["example.com"],
      credentials: { user: "docker", password: "secret" },
    },
  });
  const at = (file: string) => ({ file: join(directory, file) });
  const one = { credentials: { kind: "basic", user: "one", password: "secret" }, ...at("etc/auth.d/a.json") };
  const key = { kind: "aws", accessKeyId: "AKID", secretAccessKey: "deep secret" };
  assert.deepEqual((await servers(directory)).servers, [
    { host: "example.com", ...one },
    { host: "other.example:8443", ...one },
    { host: "token.example", credentials: { kind: "bearer", token: "t" }, ...at("usr/auth.d/b.json") },
    {
      host: "a.s3.amazonaws.com",
      credentials: { ...key, region: "eu-west-1" },
      ...at("usr/auth.d/s3.json"),
    },
    { host: "b.s3.amazonaws.com", credentials: key, ...at("usr/auth.d/s4.json") },
  ]);
});

for (const [what, change, key] of [
  ["no access key", { accessKeyID: undefined }, "credentials.accessKeyID"],
  ["an access key that no header takes", { accessKeyID: "AK ID" }, "credentials.accessKeyID"],
  ["no secret", { secretAccessKey: undefined }, "credentials.secretAccessKey"],
  ["an empty secret", { secretAccessKey: "" }, "credentials.secretAccessKey"],
  ["a secret that is no text", { secretAccessKey: 7 }, "credentials.secretAccessKey"],
  ["a region that no header takes", { awsRegion: "eu\nwest" }, "credentials.awsRegion"],
  ["a key too many", { sessionToken: "deep secret" }, "credentials"],
] as const) {
  test(`aws credentials with ${what} are refused by file and key, and not repeated`, async (t) => {
    const directory = place(t, { "etc/auth.d/s3.json": s3(change) });
    const said = refusal("BadConfig", 1, join(directory, "etc/auth.d/s3.json"), `is wrong at "${key}"`);
    await assert.rejects(
      servers(directory),
      (error: Error) => said(error) && !/deep secret/.test(error.message),
    );
  });
}

test("an entry of registries.d for a whole host tells its authority and what is insecure about it", async (t) => {
  const { ca } = await makeAuthority();
  const certificates = join(place(t, { "ca.pem": ca }), "ca.pem");
  const registries = [
    { prefix: "example.com", ca: certificates },
    { prefix: "old.example", insecure: ["http", "tls"] },
    { prefix: "example.com/only/images", insecure: ["http"] },
  ];
  const directory = place(t, { "etc/registries.d/a.json": { version: 1, registries } });
  assert.deepEqual((await servers(directory)).servers, [
    { host: "example.com", ca },
    { host: "old.example", insecureTls: true, plainHttp: true },
  ]);
});

test("a file that can't be read by rule is named", async (t) => {
  const directory = place(t, { "etc/auth.d/a.json": "{" });
  await assert.rejects(servers(directory), refusal("BadConfig", 1, join(directory, "etc/auth.d/a.json")));
});

test("limits of the machine go along, in milliseconds; a registry's own are for its images", async (t) => {
  const limits = { connect: 1.5, idle: 300, rate: 0, attempts: 2 };
  const told = { connect: 1500, idle: 300_000, rate: 0, attempts: 2 };
  const file = { version: 1, limits, registries: [{ prefix: "a.test", limits: { idle: 5, slow: 1 } }] };
  const directory = place(t, { "etc/registries.d/a.json": file });
  assert.deepEqual((await servers(directory)).limits, told);
  const roots = [join(directory, "etc")];
  const of = async (name: string) =>
    (await registrySources(parseRepository(name), { roots, insecureOptions: [], environment: {} })).limits;
  assert.deepEqual(await of("a.test/app"), { ...told, idle: 5000, slow: 1000 });
  assert.deepEqual(await of("b.test/app"), told);
});

const BAD_LIMITS: readonly (readonly [limits: object, key: string])[] = [
  [{ idle: 0 }, "limits.idle"],
  [{ idle: "60" }, "limits.idle"],
  [{ document: 100_000 }, "limits.document"],
  [{ rate: -1 }, "limits.rate"],
  [{ attempts: 0 }, "limits.attempts"],
  [{ pause: 1 }, "limits"],
];

test("limits that are none, or stand in two files, are refused by file and key", async (t) => {
  for (const [limits, key] of BAD_LIMITS) {
    const directory = place(t, { "etc/registries.d/a.json": { version: 1, limits } });
    await assert.rejects(
      servers(directory),
      refusal("BadConfig", 1, "registries.d/a.json", `is wrong at "${key}"`),
    );
  }
  const file = { version: 1, limits: { idle: 1 } };
  const twice = place(t, { "etc/registries.d/a.json": file, "usr/registries.d/b.json": file });
  await assert.rejects(
    servers(twice),
    refusal("BadConfig", 1, "registries.d/b.json", "has limits, which", "registries.d/a.json"),
  );
});
