/** Long bodies: resumption, and servers that lie about what they send. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { TimeLimits } from "../../../src/inbox/protocol.ts";
import { openClient } from "../../../src/transfer/client.ts";
import { type Download, download } from "../../../src/transfer/download.ts";
import { follow } from "../../../src/transfer/redirect.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { startWeb, type Web } from "../../fixtures/web.ts";

const CONTENT = randomBytes(3_000_000);
const SIZE = CONTENT.length;
const LIMITS: TimeLimits = { pause: 1, attempts: 3 };

async function take(web: Web, options: Partial<Download> = {}, limits: TimeLimits = {}) {
  const log: string[] = [];
  await using client = openClient({ limits: { ...LIMITS, ...limits }, log: (text) => log.push(text) });
  const chunks: Buffer[] = [];
  const open = (headers: Readonly<Record<string, string>>) =>
    follow(client, { url: new URL(`${web.url}/blob`), access: {}, headers });
  const stream = download(client, { what: "layer x", open, size: SIZE, limit: 1e9, ...options });
  for await (const chunk of stream) chunks.push(chunk);
  return { bytes: Buffer.concat(chunks), log };
}

type Script = (start: number, response: ServerResponse, count: number) => void;

/** A server that hears at which byte it shall begin. */
function serving(script: Script): Promise<Web> {
  let count = 0;
  return startWeb((request, response) => script(startOf(request), response, ++count));
}

function startOf({ headers }: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
}

function partHeaders(start: number, size = SIZE): Record<string, string> {
  return { "content-range": `bytes ${start}-${size - 1}/${size}`, "content-length": String(size - start) };
}

/** Ends in good order after `bytes`, without having announced how many they would be. */
function endAfter(response: ServerResponse, bytes: Buffer): void {
  response.writeHead(200, { "transfer-encoding": "chunked" }).end(bytes);
}

/** Sends `bytes` of what was announced, and cuts the connection. */
function cutAfter(response: ServerResponse, bytes: Buffer): void {
  response.write(bytes, () => setTimeout(() => response.socket?.destroy(), 10));
}

test("download: the whole at once", async () => {
  await using web = await serving((_, response) => response.end(CONTENT));
  const { bytes, log } = await take(web);
  assert.deepEqual([bytes.equals(CONTENT), log], [true, []]);
});

/** Cuts the first answer after 300,000 bytes. */
function cutOnce(starts: number[] = []): Promise<Web> {
  return serving((start, response) => {
    starts.push(start);
    if (start > 0) return void response.writeHead(206, partHeaders(start)).end(CONTENT.subarray(start));
    if (starts.length > 1) return void response.end(CONTENT);
    cutAfter(response.writeHead(200, { "content-length": SIZE }), CONTENT.subarray(0, 300_000));
  });
}

test("download: what came before a cut is not asked for again, however late it is taken", async () => {
  const starts: number[] = [];
  await using web = await cutOnce(starts);
  await using client = openClient({ limits: LIMITS });
  const open = (headers: Readonly<Record<string, string>>) =>
    follow(client, { url: new URL(web.url), access: {}, headers });
  const taken: Buffer[] = [];
  for await (const chunk of download(client, { what: "x", open, size: SIZE, limit: 1e9 })) {
    if (taken.length === 0) await sleep(100);
    taken.push(chunk);
  }
  assert.deepEqual([starts, Buffer.concat(taken).equals(CONTENT)], [[0, 300_000], true]);
});

test("download: an answer that was cut before anybody took it", async () => {
  await using web = await cutOnce();
  await using client = openClient({ limits: LIMITS });
  const open = async (headers: Readonly<Record<string, string>>) => {
    const answer = await follow(client, { url: new URL(web.url), access: {}, headers });
    await sleep(100);
    return answer;
  };
  const { bytes } = await take(web, { open });
  assert.ok(bytes.equals(CONTENT));
});

test("download: the size of the first answer is its size where none is known", async () => {
  await using web = await serving((_, response) =>
    response.writeHead(200, { "content-length": SIZE }).end(CONTENT),
  );
  const { size, ...unknown } = { size: 0, limit: SIZE };
  assert.equal(size, 0);
  await using client = openClient({ limits: LIMITS });
  const open = () => follow(client, { url: new URL(web.url), access: {} });
  let got = 0;
  for await (const chunk of download(client, { what: "x", open, ...unknown })) got += chunk.length;
  assert.equal(got, SIZE);
});

test("download: goes on where the connection was cut", async () => {
  await using web = await serving((start, response, count) => {
    response.writeHead(start === 0 ? 200 : 206, partHeaders(start));
    if (count < 4) cutAfter(response, CONTENT.subarray(start, start + 700_001));
    else response.end(CONTENT.subarray(start));
  });
  const { bytes, log } = await take(web, {}, { attempts: 5 });
  assert.ok(bytes.equals(CONTENT));
  assert.equal(log.length, 3);
  assert.match(log[0] ?? "", /layer x: .* was cut; it goes on at byte 700001/);
  assert.deepEqual(
    web.seen.map(({ headers }) => headers.range),
    [undefined, "bytes=700001-", "bytes=1400002-", "bytes=2100003-"],
  );
});

test("download: attempts that get somewhere are not counted", async () => {
  await using web = await serving((start, response) => {
    response.writeHead(start === 0 ? 200 : 206, partHeaders(start));
    cutAfter(response, CONTENT.subarray(start, start + 1_100_000));
  });
  assert.ok((await take(web, {}, { attempts: 2 })).bytes.equals(CONTENT));
});

test("download: attempts that bring next to nothing end", async () => {
  await using web = await serving((start, response) => {
    response.writeHead(start === 0 ? 200 : 206, partHeaders(start));
    cutAfter(response, CONTENT.subarray(start, start + 10));
  });
  await assert.rejects(take(web), refusal("FetchFailed", 1, `${web.url}/blob`, "was cut"));
  assert.equal(web.seen.length, 3);
});

test("download: a server that sends the whole again is heard again from the beginning", async () => {
  await using web = await serving((_, response, count) => {
    response.writeHead(200, { "content-length": SIZE });
    if (count === 1) cutAfter(response, CONTENT.subarray(0, 1_000_000));
    else response.end(CONTENT);
  });
  assert.ok((await take(web)).bytes.equals(CONTENT));
});

test("download: a short body without a length is a cut, too", async () => {
  await using web = await serving((start, response, count) => {
    if (count === 1) endAfter(response, CONTENT.subarray(0, 5000));
    else response.writeHead(206, partHeaders(start)).end(CONTENT.subarray(start));
  });
  const { bytes, log } = await take(web);
  assert.ok(bytes.equals(CONTENT));
  assert.match(log[0] ?? "", /ended after 5000 of 3000000 bytes/);
});

for (const [what, headers] of [
  ["another part", { "content-range": `bytes 0-${SIZE - 1}/${SIZE}` }],
  ["a part of something larger", { "content-range": `bytes 5000-${SIZE}/${SIZE + 1}` }],
  ["a part that it doesn't name", {}],
] as const) {
  test(`download: ${what} is refused`, async () => {
    await using web = await serving((start, response) => {
      if (start > 0) response.writeHead(206, headers).end(CONTENT.subarray(5000));
      else endAfter(response, CONTENT.subarray(0, 5000));
    });
    const refused = refusal("FetchFailed", 1, "layer x", `${web.url}/blob`, "go on at byte 5000");
    await assert.rejects(take(web), refused);
  });
}

test("download: a part that nobody asked for is refused", async () => {
  await using web = await serving((_, response) => response.writeHead(206, partHeaders(0)).end(CONTENT));
  await assert.rejects(take(web), refusal("FetchFailed", 1, "layer x", "answers 206"));
});

test("download: 416 is refused", async () => {
  await using web = await serving((start, response) => {
    if (start > 0) response.writeHead(416).end();
    else endAfter(response, CONTENT.subarray(0, 5000));
  });
  await assert.rejects(take(web), refusal("FetchFailed", 1, "layer x", "answers 416"));
});

for (const length of [SIZE - 1, SIZE + 1]) {
  test(`download: an announced size of ${length} is refused before a byte is taken`, async () => {
    await using web = await serving((_, response) =>
      response.writeHead(200, { "content-length": length }).write("x"),
    );
    let taken = 0;
    await using client = openClient({ limits: LIMITS });
    const open = () => follow(client, { url: new URL(web.url), access: {} });
    const all = async () => {
      for await (const chunk of download(client, { what: "layer x", open, size: SIZE, limit: 1e9 }))
        taken += chunk.length;
    };
    await assert.rejects(all(), refusal("DigestMismatch", 1, "layer x", `${SIZE} bytes`, `offers ${length}`));
    assert.equal(taken, 0);
  });
}

test("download: an endless body ends at the size", async () => {
  await using web = await serving((_, response) => {
    const more = () => {
      while (response.socket?.destroyed === false && response.write(CONTENT.subarray(0, 100_000)));
    };
    response.on("drain", more);
    more();
  });
  await assert.rejects(take(web), refusal("DigestMismatch", 1, "layer x", `${SIZE} bytes, but more come`));
});

test("download: an endless body of unknown size ends at the limit", async () => {
  await using web = await serving((_, response) => response.end(CONTENT));
  await using client = openClient({ limits: LIMITS });
  const open = () => follow(client, { url: new URL(web.url), access: {} });
  const all = async () => {
    for await (const _ of download(client, { what: "image x", open, limit: 1_000_000 }));
  };
  await assert.rejects(all(), refusal("BadImage", 1, "image x", "1000000"));
});

for (const [status, kind, exit] of [
  [404, "NoSuchImage", 4],
  [401, "AccessDenied", 6],
  [403, "AccessDenied", 6],
  [400, "FetchFailed", 1],
] as const) {
  test(`download: ${status} ends it`, async () => {
    await using web = await serving((_, response) => response.writeHead(status).end());
    await assert.rejects(take(web), refusal(kind, exit, "layer x", `answers ${status}`));
    assert.equal(web.seen.length, 1);
  });
}

test("download: 503 in the middle is waited out", async () => {
  await using web = await serving((start, response, count) => {
    if (count === 2) response.writeHead(503, { "retry-after": "0" }).end();
    else if (start === 0) endAfter(response, CONTENT.subarray(0, 5000));
    else response.writeHead(206, partHeaders(start)).end(CONTENT.subarray(start));
  });
  assert.ok((await take(web)).bytes.equals(CONTENT));
});

test("download: a stall in the middle goes on on another connection", async () => {
  await using web = await serving((start, response) => {
    response.writeHead(start === 0 ? 200 : 206, partHeaders(start));
    if (start === 0) response.write(CONTENT.subarray(0, 5000));
    else response.end(CONTENT.subarray(start));
  });
  assert.ok((await take(web, {}, { idle: 1500 })).bytes.equals(CONTENT));
});

test("download: what may change is resumed only by its validator", async () => {
  await using web = await serving((start, response) => {
    response.setHeader("etag", '"one"');
    if (start > 0) response.writeHead(206, partHeaders(start)).end(CONTENT.subarray(start));
    else endAfter(response, CONTENT.subarray(0, 5000));
  });
  assert.ok((await take(web, { mutable: true })).bytes.equals(CONTENT));
  assert.equal(web.seen[1]?.headers["if-range"], '"one"');
});

test("download: what has changed meanwhile is refused", async () => {
  await using web = await serving((start, response) => {
    response.setHeader("etag", start > 0 ? '"two"' : '"one"');
    if (start > 0) response.end(CONTENT);
    else endAfter(response, CONTENT.subarray(0, 5000));
  });
  await assert.rejects(take(web, { mutable: true }), refusal("FetchFailed", 1, "layer x changed on"));
});

test("download: what may change and has no validator is not resumed", async () => {
  await using web = await serving((_, response) => endAfter(response, CONTENT.subarray(0, 5000)));
  await assert.rejects(take(web, { mutable: true }), refusal("FetchFailed", 1, "ended after 5000"));
  assert.equal(web.seen.length, 1);
});

test("download: a reader that takes its time is not the server's fault", async () => {
  await using web = await serving((_, response) => response.end(CONTENT));
  await using client = openClient({ limits: { ...LIMITS, idle: 1000, slow: 1000, attempts: 1 } });
  const open = () => follow(client, { url: new URL(web.url), access: {} });
  let got = 0;
  for await (const chunk of download(client, { what: "x", open, size: SIZE, limit: SIZE })) {
    got += chunk.length;
    if (got < 200_000) await new Promise((resolve) => setTimeout(resolve, 1500));
  }
  assert.equal(got, SIZE);
});
