/** Documents over HTTP: what a server may do wrong, and that each of it ends in time with a text that names it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { Access, TimeLimits } from "../../../src/inbox/protocol.ts";
import { openClient } from "../../../src/transfer/client.ts";
import { type DocumentRequest, fetchDocument } from "../../../src/transfer/document.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { type Handler, makeAuthority, startProxy, startWeb } from "../../fixtures/web.ts";

const PATIENT: TimeLimits = { pause: 1, attempts: 3 };
/** For servers that never come to an end: whatever the machine does, they are later. */
const IMPATIENT: TimeLimits = { pause: 1, attempts: 2, connect: 10_000, idle: 1000, slow: 300, rate: 1000 };

async function get(url: string, options: Partial<DocumentRequest> & { limits?: TimeLimits } = {}) {
  const log: string[] = [];
  const { limits = PATIENT, access = {}, ...rest } = options;
  await using client = openClient({ limits, log: (text) => log.push(text) });
  const document = await fetchDocument(client, { limit: 1000, ...rest, url: new URL(url), access });
  return { ...document, text: document.bytes.toString(), log };
}

/** Answers in turn; the last one again and again. */
function inTurn(...handlers: Handler[]): Handler {
  let count = 0;
  return (request, response) => handlers[Math.min(count++, handlers.length - 1)]?.(request, response);
}

const good: Handler = (_, response) => response.end("good");
const status =
  (code: number, headers: Record<string, string> = {}): Handler =>
  (_, response) =>
    response.writeHead(code, headers).end("no");

test("document: bytes, status and headers as they were sent", async () => {
  await using web = await startWeb((_, response) => response.writeHead(201, { etag: '"x"' }).end("good"));
  const document = await get(`${web.url}/a?b=c`);
  assert.deepEqual([document.text, document.status, document.headers.etag], ["good", 201, '"x"']);
  assert.deepEqual([web.seen[0]?.url, web.seen[0]?.headers["accept-encoding"]], ["/a?b=c", "identity"]);
});

test("document: an answer that says no is an answer", async () => {
  await using web = await startWeb(status(404));
  const document = await get(web.url);
  assert.deepEqual([document.status, document.text, web.seen.length], [404, "no", 1]);
});

for (const code of [429, 500, 502, 503, 504]) {
  test(`document: ${code} is tried again, and told in the log`, async () => {
    await using web = await startWeb(inTurn(status(code), status(code), good));
    const { text, log } = await get(web.url);
    assert.deepEqual([text, web.seen.length, log.length], ["good", 3, 2]);
    assert.match(log[0] ?? "", new RegExp(`answers ${code}; attempt 2 of 3`));
    assert.equal((log[0] ?? "").split(web.url).length, 2, "the URL stands there once");
  });
}

test("document: what stays 503 is given as it is after the last attempt", async () => {
  await using web = await startWeb(status(503));
  assert.equal((await get(web.url)).status, 503);
  assert.equal(web.seen.length, 3);
});

test("document: Retry-After is waited for, up to the longest pause", async () => {
  await using web = await startWeb(inTurn(status(429, { "retry-after": "3600" }), good));
  const began = performance.now();
  const { text } = await get(web.url, { limits: { ...PATIENT, longestPause: 300 } });
  assert.equal(text, "good");
  assert.ok(performance.now() - began >= 295);
});

test("document: a Retry-After beyond the time for all attempts is not waited for", async () => {
  await using web = await startWeb(status(429, { "retry-after": "50" }));
  assert.equal((await get(web.url, { limits: { ...PATIENT, document: 10_000 } })).status, 429);
  assert.equal(web.seen.length, 1);
});

test("document: a cut connection is tried again", async () => {
  const cut: Handler = (_, response) => {
    response.writeHead(200, { "content-length": "100" }).write("half");
    setTimeout(() => response.socket?.destroy(), 20);
  };
  await using web = await startWeb(inTurn(cut, (request) => request.socket.destroy(), good));
  assert.equal((await get(web.url)).text, "good");
});

test("document: connections that are always cut", async () => {
  await using web = await startWeb((request) => request.socket.destroy());
  await assert.rejects(get(`${web.url}/x`), refusal("FetchFailed", 1, `${web.url}/x`, "was cut"));
  assert.equal(web.seen.length, 3);
});

test("document: nobody listens there", async () => {
  const { url } = await startWeb(good).then(async (web) => {
    await web[Symbol.asyncDispose]();
    return web;
  });
  await assert.rejects(get(url), refusal("FetchFailed", 1, url, "the connection was refused"));
});

test("document: a server that never answers", async () => {
  await using web = await startWeb(() => undefined);
  await assert.rejects(get(web.url, { limits: IMPATIENT }), refusal("TimedOut", 1, web.url, "no answer"));
  assert.equal(web.seen.length, 2);
});

test("document: a body that stalls", async () => {
  await using web = await startWeb((_, response) => response.writeHead(200).write("be"));
  await assert.rejects(
    get(web.url, { limits: IMPATIENT }),
    refusal("TimedOut", 1, web.url, "too slow: no byte"),
  );
});

test("document: a body of one byte now and then", async () => {
  await using web = await startWeb((request, response) => {
    response.writeHead(200, { "content-length": "900" });
    const timer = setInterval(() => response.write("x"), 50);
    request.socket.on("close", () => clearInterval(timer));
  });
  const limits = { ...IMPATIENT, idle: 10_000 };
  await assert.rejects(get(web.url, { limits }), refusal("TimedOut", 1, web.url, /too slow: \d+ bytes in/));
});

test("document: a header of one line now and then", async () => {
  await using web = await startWeb((request) => {
    request.socket.write("HTTP/1.1 200 OK\r\n");
    const timer = setInterval(() => request.socket.write("x-slow: 1\r\n"), 50);
    request.socket.on("close", () => clearInterval(timer));
  });
  await assert.rejects(get(web.url, { limits: IMPATIENT }), refusal("TimedOut", 1, web.url, "no answer"));
});

test("document: all attempts together have their time", async () => {
  await using web = await startWeb((request, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write("x"), 50);
    request.socket.on("close", () => clearInterval(timer));
  });
  const limits = { ...PATIENT, document: 300 };
  await assert.rejects(get(web.url, { limits }), refusal("TimedOut", 1, web.url, "within 0.3 s"));
});

test("document: an announced size beyond the limit is not read", async () => {
  await using web = await startWeb((_, response) =>
    response.writeHead(200, { "content-length": "1001" }).write("x"),
  );
  await assert.rejects(get(web.url), refusal("BadImage", 1, web.url, "1001 bytes", "1000"));
});

test("document: an endless body ends at the limit", async () => {
  await using web = await startWeb((request, response) => {
    const more = () => {
      while (!request.socket.destroyed && response.write("x".repeat(10_000)));
    };
    response.on("drain", more);
    more();
  });
  await assert.rejects(get(web.url), refusal("BadImage", 1, web.url, "has more, the limit is 1000"));
});

test("document: endless and oversized headers", async () => {
  await using web = await startWeb((request) => {
    request.socket.write(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(100_000)}\r\n\r\n`);
  });
  await assert.rejects(get(web.url), refusal("FetchFailed", 1, web.url, "header of its answer is too large"));
});

test("document: what is no HTTP", async () => {
  await using web = await startWeb((request) => request.socket.end("SSH-2.0-OpenSSH\r\n"));
  await assert.rejects(get(web.url), refusal("FetchFailed", 1, web.url, "not HTTP"));
});

test("document: a packed body that was not asked for is not unpacked", async () => {
  const packed = gzipSync("good");
  await using web = await startWeb((_, response) =>
    response.writeHead(200, { "content-encoding": "gzip" }).end(packed),
  );
  await assert.rejects(get(web.url), refusal("BadImage", 1, web.url, "content coding gzip"));
});

test("document: a text of the server's can't forge lines", async () => {
  await using web = await startWeb(status(302, { location: "ftp://x/%0agantry:" }));
  await assert.rejects(get(web.url), refusal("FetchFailed", 1, web.url, "no http or https URL"));
});

test("redirect: loops end", async () => {
  await using web = await startWeb(status(302, { location: "/again" }));
  await assert.rejects(get(`${web.url}/a`), refusal("FetchFailed", 1, `${web.url}/a`, "more than 10 times"));
  assert.equal(web.seen.length, 11);
});

test("redirect: credentials stay with the server they are for", async () => {
  await using other = await startWeb(good);
  await using web = await startWeb((request, response) => {
    const location = request.url === "/1" ? "/2" : `http://user:pass@127.0.0.1:${other.port}/3`;
    response.writeHead(307, { location }).end();
  });
  const headers = { Authorization: "Basic c2VjcmV0", accept: "a/b" };
  const document = await get(`${web.url}/1`, { headers });
  assert.deepEqual([document.text, document.url.href], ["good", `${other.url}/3`]);
  assert.deepEqual(
    [...web.seen, ...other.seen].map((seen) => [seen.url, seen.headers.authorization, seen.headers.accept]),
    [
      ["/1", "Basic c2VjcmV0", "a/b"],
      ["/2", "Basic c2VjcmV0", "a/b"],
      ["/3", undefined, "a/b"],
    ],
  );
});

test("redirect: from https to http only where that is allowed", async () => {
  const authority = await makeAuthority();
  await using plain = await startWeb(good);
  await using web = await startWeb(status(301, { location: `${plain.url}/p?signature=s` }), authority.server);
  const access: Access = { ca: authority.ca };
  await assert.rejects(
    get(web.url, { access }),
    refusal("FetchFailed", 1, `redirects to "${plain.url}/p"`, "not encrypted", "--insecure-options=http"),
  );
  assert.equal((await get(web.url, { access: { ...access, plainHttp: true } })).text, "good");
});

test("tls: a private authority, none, and no check", async () => {
  const authority = await makeAuthority();
  const stranger = await makeAuthority();
  await using web = await startWeb(good, authority.server);
  assert.equal((await get(web.url, { access: { ca: authority.ca } })).text, "good");
  assert.equal((await get(web.url, { access: { insecureTls: true } })).text, "good");
  for (const access of [{}, { ca: stranger.ca }]) {
    const refused = refusal("FetchFailed", 1, web.url, "not trusted here", "--insecure-options=tls");
    await assert.rejects(get(web.url, { access }), refused);
  }
  assert.equal(web.seen.length, 2);
});

test("tls: the machine's authorities replace those that came with Node, and a private one is added", async () => {
  const [one, two] = [await makeAuthority(), await makeAuthority()];
  await using web = await startWeb(good, one.server);
  await using machine = openClient({ authorities: () => two.ca + one.ca, limits: PATIENT });
  const request = { url: new URL(web.url), limit: 10 };
  assert.equal((await fetchDocument(machine, { ...request, access: {} })).status, 200);
  await using foreign = openClient({ authorities: () => two.ca, limits: PATIENT });
  await assert.rejects(
    fetchDocument(foreign, { ...request, access: {} }),
    refusal("FetchFailed", 1, web.url),
  );
  assert.equal((await fetchDocument(foreign, { ...request, access: { ca: one.ca } })).status, 200);
});

test("tls: a certificate for another name", async () => {
  const authority = await makeAuthority(["right.test"]);
  await using web = await startWeb(good, authority.server);
  await using proxy = await startProxy({ names: { "wrong.test:443": web.port } });
  await using client = openClient({ proxy: { https: proxy.url }, limits: PATIENT });
  const request = { url: new URL("https://wrong.test/"), limit: 10, access: { ca: authority.ca } };
  await assert.rejects(
    fetchDocument(client, request),
    refusal("FetchFailed", 1, "wrong.test", "for another name"),
  );
});

test("tls: plain http where TLS is expected", async () => {
  await using web = await startWeb(good);
  const url = web.url.replace("http:", "https:");
  await assert.rejects(get(url), refusal("FetchFailed", 1, url));
});

test("proxy: https goes through a tunnel, http as a whole, each with the proxy's own credentials", async () => {
  const authority = await makeAuthority(["registry.test"]);
  await using secure = await startWeb(good, authority.server);
  await using plain = await startWeb(good);
  const names = { "registry.test:443": secure.port, "registry.test:80": plain.port };
  await using proxy = await startProxy({ names, user: "me:p@ss" });
  const url = proxy.url.replace("//", "//me:p%40ss@");
  await using client = openClient({ proxy: { http: url, https: url }, limits: PATIENT });
  const access = { ca: authority.ca };
  const headers = { authorization: "Bearer secret" };
  for (const target of ["https://registry.test/s", "http://registry.test/p"]) {
    const document = await fetchDocument(client, { url: new URL(target), limit: 10, access, headers });
    assert.equal(document.bytes.toString(), "good");
  }
  assert.deepEqual(
    proxy.seen.map(({ method, url }) => `${method} ${url}`),
    ["CONNECT registry.test:443", "GET http://registry.test/p"],
  );
  assert.equal(proxy.seen[0]?.headers.authorization, undefined);
  assert.equal(secure.seen[0]?.headers["proxy-authorization"], undefined);
});

test("proxy: one that refuses is not taken for the server", async () => {
  await using proxy = await startProxy({ names: {}, user: "me:secret" });
  await using client = openClient({ proxy: { https: proxy.url }, limits: PATIENT });
  const request = { url: new URL("https://registry.test/"), limit: 10, access: {} };
  await assert.rejects(
    fetchDocument(client, request),
    refusal("FetchFailed", 1, "registry.test", "the proxy answers 407", "user and a password"),
  );
});
