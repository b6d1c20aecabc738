/** Transfers of ACIs and keys, from TLS servers on loopback that a proxy gives the names of the world. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { maxAgeOf } from "../../../src/fetcher/aci.ts";
import { fetchArchive, fetchKeys } from "../../../src/fetcher/appc.ts";
import { createLayout } from "../../../src/inbox/layout.ts";
import type { AppcRequest, Event, KeysRequest } from "../../../src/inbox/protocol.ts";
import { openClient } from "../../../src/transfer/client.ts";
import { discoveryPage, etagOf, type Resource, type Site, siteHandler } from "../../fixtures/aci-site.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { makeAuthority, startProxy, startWeb, type Web } from "../../fixtures/web.ts";

const NAMES = ["example.com", "dl.example.com", "other.example"];
const authority = await makeAuthority(NAMES);
const IMAGE = Buffer.alloc(300_000, "image");
const IMAGE_URL = "https://dl.example.com/app-latest-linux-amd64.aci";
const page = discoveryPage([
  "ac-discovery",
  "example.com",
  "https://dl.example.com/app-{version}-{os}-{arch}.{ext}",
]);

type World = AsyncDisposable & {
  readonly directory: string;
  readonly site: Site;
  readonly server: Web;
  /** Every event so far. */
  readonly events: Event[];
  readonly log: string[];
  fetch(change?: Partial<AppcRequest>): Promise<Extract<Event, { event: "archive" }>>;
  keys(): Promise<Extract<Event, { event: "keys" }>>;
  /** `METHOD host/path` of every request. */
  asked(): string[];
};

async function world(resources: Readonly<Record<string, Resource>>): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-fetch-"));
  await createLayout(directory);
  const site: Site = new Map(Object.entries(resources));
  const server = await startWeb(siteHandler(site), authority.server);
  const plain = await startWeb(siteHandler(site));
  const ports = NAMES.flatMap((name) => [
    [`${name}:443`, server.port],
    [`${name}:80`, plain.port],
  ]);
  const proxy = await startProxy({ names: Object.fromEntries(ports) });
  const events: Event[] = [];
  const log: string[] = [];
  const limits = { attempts: 3, pause: 0, idle: 5000 };
  const settings = { proxy: { http: proxy.url, https: proxy.url }, authorities: () => authority.ca, limits };
  const client = openClient({ ...settings, log: (text) => log.push(text) });
  const common = { version: 1 as const, directory, servers: [], others: {} };
  const conversation = (request: AppcRequest | KeysRequest) => ({
    request,
    commands: (async function* () {})(),
    say: (event: Event) => void events.push(event),
  });
  return {
    directory,
    site,
    server,
    events,
    log,
    fetch: async (change = {}) => {
      const labels = { os: "linux", arch: "amd64" };
      const asked = { kind: "appc" as const, name: "example.com/app", labels, known: [], signature: true };
      const request: AppcRequest = { ...common, ...asked, ...change };
      await fetchArchive(client, conversation(request), request);
      return events.at(-1) as Extract<Event, { event: "archive" }>;
    },
    keys: async () => {
      const request: KeysRequest = { ...common, kind: "keys", name: "example.com/app" };
      await fetchKeys(client, conversation(request), request);
      return events.at(-1) as Extract<Event, { event: "keys" }>;
    },
    asked: () =>
      [...server.seen, ...plain.seen].map(({ method, url, headers }) => `${method} ${headers.host}${url}`),
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      for (const one of [server, plain, proxy]) await one[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

const served = (at: World) => readFileSync(join(at.directory, "archive.aci"));
const signed = {
  "/app-latest-linux-amd64.aci": { body: IMAGE },
  "/app-latest-linux-amd64.aci.asc": { body: "signature" },
};

test("an image is discovered, transferred with its signature, and its server's words are told", async () => {
  await using at = await world({ "/app": page, ...signed });
  at.site.set("/app-latest-linux-amd64.aci", {
    body: IMAGE,
    headers: { "cache-control": "public, max-age=60" },
  });
  const { url, etag, maxAge, archive } = await at.fetch();
  assert.deepEqual({ url, etag, maxAge }, { url: IMAGE_URL, etag: etagOf(IMAGE), maxAge: 60 });
  assert.deepEqual(served(at), IMAGE);
  assert.equal(archive?.size, IMAGE.length);
  const [signature] = archive?.signatures ?? [];
  assert.ok(signature?.kind === "openpgp");
  assert.equal(
    readFileSync(join(at.directory, "blobs", signature.signature.replace(":", "/")), "utf8"),
    "signature",
  );
  assert.deepEqual(at.asked(), [
    "GET example.com/app?ac-discovery=1",
    "GET dl.example.com/app-latest-linux-amd64.aci",
    "GET dl.example.com/app-latest-linux-amd64.aci.asc",
  ]);
  const received = at.events.filter((event) => event.event === "received").at(-1);
  assert.deepEqual(received, { event: "received", bytes: IMAGE.length, size: IMAGE.length });
});

test("a signature nobody wants is not asked for; one that is not there leaves the image unsigned", async () => {
  await using at = await world({ "/app": page, ...signed });
  assert.deepEqual((await at.fetch({ signature: false })).archive?.signatures, []);
  assert.ok(!at.asked().some((line) => line.endsWith(".asc")));
  at.site.delete("/app-latest-linux-amd64.aci.asc");
  assert.deepEqual((await at.fetch()).archive?.signatures, []);
  assert.match(at.log.join("\n"), /no signature: .*aci\.asc" answers 404/);
});

test("a signature that is promised for later is asked for behind the image, and once", async () => {
  await using at = await world({ "/app": page, ...signed });
  at.site.set("/app-latest-linux-amd64.aci.asc", { body: "signature", deferred: 1 });
  assert.equal((await at.fetch()).archive?.signatures.length, 1);
  at.site.set("/app-latest-linux-amd64.aci.asc", { body: "signature", deferred: 99 });
  const text = "error downloading the signature file: server asked to defer the download again";
  await assert.rejects(at.fetch(), refusal("FetchFailed", 1, text, "app-latest-linux-amd64.aci.asc"));
});

test("a signature of 50 MB is refused before it is read", async () => {
  await using at = await world({ "/app": page, ...signed });
  at.site.set("/app-latest-linux-amd64.aci.asc", { body: Buffer.alloc(50 << 20) });
  await assert.rejects(at.fetch(), refusal("BadImage", 1, "app-latest-linux-amd64.aci.asc", "65536 bytes"));
});

test("what is known and unchanged is not transferred, and not even asked for while it is fresh", async () => {
  await using at = await world({ "/app": page, ...signed });
  const known = (fresh: boolean) => [{ url: IMAGE_URL, etag: etagOf(IMAGE), fresh }];
  const fresh = await at.fetch({ known: known(true) });
  assert.deepEqual(fresh, { event: "archive", url: IMAGE_URL });
  assert.deepEqual(at.asked(), ["GET example.com/app?ac-discovery=1"]);
  const same = await at.fetch({ known: known(false) });
  assert.equal(same.archive, undefined);
  assert.equal(at.server.seen.at(-1)?.headers["if-none-match"], etagOf(IMAGE));
  assert.ok(!existsSync(join(at.directory, "archive.aci")));
  const changed = Buffer.alloc(1000, "changed");
  at.site.set("/app-latest-linux-amd64.aci", { body: changed });
  assert.equal((await at.fetch({ known: known(false) })).archive?.size, 1000);
  assert.deepEqual(served(at), changed);
});

test("a 304 that nobody asked for is no image", async () => {
  await using at = await world({ "/app": page, "/app-latest-linux-amd64.aci": { status: 304 } });
  await assert.rejects(at.fetch(), refusal("FetchFailed", 1, "app-latest-linux-amd64.aci", "304"));
});

test("a transfer that is cut goes on where it ended", async () => {
  await using at = await world({ "/app": page, ...signed });
  at.site.set("/app-latest-linux-amd64.aci", { body: IMAGE, cut: 110_000 });
  await at.fetch();
  assert.deepEqual(served(at), IMAGE);
  const ranges = at.server.seen
    .filter(({ url }) => url.endsWith(".aci"))
    .map(({ headers }) => [headers.range !== undefined, headers["if-range"]]);
  assert.deepEqual(ranges, [
    [false, undefined],
    [true, etagOf(IMAGE)],
    [true, etagOf(IMAGE)],
  ]);
});

test("one that is cut and has changed in between is not put together of two", async () => {
  await using at = await world({ "/app": page });
  let count = 0;
  const bodies = [IMAGE, Buffer.alloc(300_000, "other")];
  at.site.get = (name) => {
    if (name === "/app-latest-linux-amd64.aci")
      return { body: bodies[Math.min(count++, 1)] ?? "", cut: 110_000 };
    return name === "/app" ? page : undefined;
  };
  await assert.rejects(
    at.fetch({ signature: false }),
    refusal("FetchFailed", 1, "changed on", "app-latest-linux-amd64.aci"),
  );
});

test("a promised size is held before and while it comes", async () => {
  await using at = await world({ "/app": page, ...signed });
  const wrong = refusal("DigestMismatch", 1, "should have 299999 bytes", "300000");
  await assert.rejects(at.fetch({ size: IMAGE.length - 1 }), wrong);
  assert.equal((await at.fetch({ size: IMAGE.length })).archive?.size, IMAGE.length);
});

test("the next endpoint is tried when one fails, and all failures are told when all do", async () => {
  const tag = (url: string) => ["ac-discovery", "example.com", url] as const;
  const pages = discoveryPage(
    tag("https://other.example/gone.{ext}"),
    tag("https://unknown.example/x.{ext}"),
    tag("https://dl.example.com/app-{version}-{os}-{arch}.{ext}"),
  );
  await using at = await world({ "/app": pages, ...signed });
  assert.equal((await at.fetch()).url, IMAGE_URL);
  assert.match(at.log.join("\n"), /"https:\/\/other\.example\/gone\.aci" is passed over/);
  at.site.delete("/app-latest-linux-amd64.aci");
  await assert.rejects(
    at.fetch(),
    refusal("NoSuchImage", 4, "gone.aci", "and 2 more places fail, too", "unknown.example"),
  );
});

test("credentials go to the server they are for, and not where it redirects to", async () => {
  const away = { status: 302, headers: { location: "https://other.example/real.aci" } };
  await using at = await world({
    "/app": page,
    "dl.example.com/app-latest-linux-amd64.aci": away,
    "other.example/real.aci": { body: IMAGE },
  });
  const credentials = { kind: "basic", user: "u", password: "secret" } as const;
  await at.fetch({ servers: [{ host: "dl.example.com", credentials }], signature: false });
  const sent = at.server.seen.map(({ headers }) => [headers.host, headers.authorization]);
  assert.deepEqual(sent, [
    ["example.com", undefined],
    ["dl.example.com", `Basic ${Buffer.from("u:secret").toString("base64")}`],
    ["other.example", undefined],
  ]);
  assert.ok(!JSON.stringify([at.events, at.log]).includes("secret"));
});

test("discovery follows redirects, on https only", async () => {
  const moved = (location: string) => ({ status: 301, headers: { location } });
  await using at = await world({ "/app": moved("https://other.example/page"), "/page": page, ...signed });
  assert.equal((await at.fetch()).url, IMAGE_URL);
  at.site.set("/app", moved("http://other.example/page"));
  await assert.rejects(at.fetch(), refusal("FetchFailed", 1, '"http://other.example/page"', "not encrypted"));
  at.site.set("/app", moved("https://example.com/app"));
  await assert.rejects(
    at.fetch(),
    refusal("FetchFailed", 1, "redirects more than 10 times", "example.com/app"),
  );
});

test("an image is not taken from where it is not encrypted, unless that is allowed", async () => {
  const plain = discoveryPage([
    "ac-discovery",
    "example.com",
    "http://dl.example.com/app-{version}-{os}-{arch}.{ext}",
  ]);
  await using at = await world({ "/app": plain, ...signed });
  await assert.rejects(at.fetch(), refusal("FetchFailed", 1, 'discovery failed for "example.com/app"'));
  const url = IMAGE_URL.replace("https", "http");
  const archive = {
    kind: "archive",
    url,
    name: undefined,
    labels: undefined,
  } as unknown as Partial<AppcRequest>;
  await assert.rejects(
    at.fetch(archive),
    refusal("FetchFailed", 1, url, "is not encrypted", "--insecure-options=http"),
  );
  assert.equal((await at.fetch({ others: { plainHttp: true } })).url, url);
});

test("hostile pages end in a sentence, in bounded time", async () => {
  await using at = await world({});
  const rounds: readonly (readonly [page: Resource, kind: "FetchFailed" | "BadImage", text: string])[] = [
    [{ body: Buffer.alloc(2 << 20, "<a>") }, "BadImage", "the limit is 1048576 bytes"],
    [
      { body: `<meta name="ac-discovery" content="example.com https://dl.example.com/{ext}">`.repeat(5000) },
      "FetchFailed",
      "5000 ac-discovery tags",
    ],
    [
      { body: `<meta name="ac-discovery" content="example.com/appendix https://dl.example.com/{ext}">` },
      "FetchFailed",
      "no endpoints discovered",
    ],
    [{ body: "<meta ".repeat(170_000) }, "FetchFailed", "no endpoints discovered"],
    [{ body: "x", headers: { "content-encoding": "gzip" } }, "BadImage", "content coding gzip"],
    [{ status: 500 }, "FetchFailed", "answers 500"],
  ];
  for (const [hostile, kind, text] of rounds) {
    at.site.set("/app", hostile);
    await assert.rejects(at.fetch(), refusal(kind, 1, text));
    assert.ok(!existsSync(join(at.directory, "archive.aci")));
  }
});

test("keys come with their scopes and where they are from, and are never more than they may", async () => {
  const keys = discoveryPage(
    ["ac-discovery-pubkeys", "example.com", "https://example.com/keys.asc"],
    ["ac-discovery-pubkeys", "example.com/ap", "https://example.com/no.asc"],
    ["ac-discovery-pubkeys", "example.com/app", "https://example.com/gone.asc"],
  );
  await using at = await world({
    "/app": page,
    "": keys,
    "/": keys,
    "/keys.asc": { body: "-----BEGIN PGP" },
  });
  assert.deepEqual((await at.keys()).keys, [
    { scope: "example.com", url: "https://example.com/keys.asc", armour: "-----BEGIN PGP" },
  ]);
  at.site.set("/keys.asc", { body: Buffer.alloc(5 << 20) });
  await assert.rejects(at.keys(), refusal("BadImage", 1, "keys.asc", "1048576 bytes"));
  at.site.delete("/keys.asc");
  await assert.rejects(
    at.keys(),
    refusal("FetchFailed", 1, 'no key of "example.com/app"', "keys.asc", "gone.asc"),
  );
});

test("a place of keys that nobody answers at leaves the others", async () => {
  const sources = ["https://unknown.example/x.asc", "https://example.com/keys.asc"];
  const keys = discoveryPage(...sources.map((url) => ["ac-discovery-pubkeys", "example.com", url] as const));
  await using at = await world({ "/app": keys, "/keys.asc": { body: "-----BEGIN PGP" } });
  assert.deepEqual(
    (await at.keys()).keys.map(({ url }) => url),
    ["https://example.com/keys.asc"],
  );
  assert.match(at.log.join("\n"), /"https:\/\/unknown\.example\/x\.asc": .*502/);
  at.site.delete("/keys.asc");
  const texts = ['no key of "example.com/app"', "unknown.example/x.asc", 'keys.asc" answers 404'];
  await assert.rejects(at.keys(), refusal("FetchFailed", 1, ...texts));
});

test("Cache-Control says for how long a server need not be asked", () => {
  const cases: readonly (readonly [headers: Record<string, string>, seconds: number | undefined])[] = [
    [{}, undefined],
    [{ "cache-control": "max-age=60" }, 60],
    [{ "cache-control": 'Public, MAX-AGE="5"' }, 5],
    [{ "cache-control": "max-age=60", age: "20" }, 40],
    [{ "cache-control": "max-age=60", age: "90" }, 0],
    [{ "cache-control": "max-age=60, no-cache" }, 0],
    [{ "cache-control": "no-store, max-age=60" }, 0],
    [{ "cache-control": "s-maxage=60" }, 0],
    [{ "cache-control": "max-age=-1" }, 0],
    [{ "cache-control": "max-age=9999999999" }, 366 * 86_400],
    [{ "cache-control": "max-age=99999999999999" }, 0],
  ];
  for (const [headers, seconds] of cases)
    assert.equal(maxAgeOf({ headers }), seconds, JSON.stringify(headers));
});
