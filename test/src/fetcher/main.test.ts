/** The fetcher as a process: its conversation, the directory, layers through FIFOs. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import type { ErrorKind } from "../../../src/base/errors.ts";
import { hostPlatform } from "../../../src/image/platform.ts";
import { Event, type Source, type TimeLimits } from "../../../src/inbox/protocol.ts";
import { digestOf } from "../../fixtures/images.ts";
import { complain, type FakeRegistry, startRegistry } from "../../fixtures/registry.ts";

type Said<K extends Event["event"]> = Extract<Event, { event: K }>;

type Fetcher = AsyncDisposable & {
  readonly directory: string;
  readonly process: ChildProcess;
  /** Writes a line. */
  tell(document: unknown): void;
  /** Waits for the next event of a kind; whatever else comes before is in `events`. */
  hear<K extends Event["event"]>(kind: K): Promise<Said<K>>;
  readonly events: Event[];
  readonly ended: Promise<number | null>;
};

async function startFetcher(): Promise<Fetcher> {
  const directory = await mkdtemp(join(tmpdir(), "gantry-fetcher-"));
  const words = ["--disable-proto=delete", "--import", "tsx", "src/fetcher/main.ts"];
  const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const events: Event[] = [];
  child.stdin.on("error", () => undefined);
  return {
    directory,
    process: child,
    events,
    ended,
    tell: (document) => child.stdin.write(`${JSON.stringify(document)}\n`),
    hear: async (kind) => {
      for (;;) {
        const { done, value } = await lines.next();
        assert.notEqual(done, true, `the fetcher ended before ${kind}: ${JSON.stringify(events)}`);
        const event = Event.parse(JSON.parse(value));
        events.push(event);
        if (event.event === kind) return event as Said<typeof kind>;
        assert.notEqual(event.event, "failed", JSON.stringify(event));
      }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
      await rm(directory, { recursive: true });
    },
  };
}

type Changes = {
  readonly reference?: string;
  readonly sources?: readonly Partial<Source>[];
  readonly limits?: TimeLimits;
};

function request(fetcher: Fetcher, registry: FakeRegistry, changes: Changes = {}): Record<string, unknown> {
  return {
    version: 1,
    kind: "registry",
    reference: changes.reference ?? "registry.test/team/app:1",
    platform: hostPlatform(),
    directory: fetcher.directory,
    sources: (changes.sources ?? [{}]).map((source) => ({
      url: registry.url,
      capabilities: ["pull", "resolve"],
      plainHttp: true,
      ...source,
    })),
    limits: { pause: 1, attempts: 3, ...changes.limits },
    signatures: { lookaside: [], cosign: true, referrers: true },
  };
}

/** Makes a FIFO and reads it to its end. */
async function makeFifo({ directory }: Fetcher, into: string): Promise<() => Promise<Buffer>> {
  await mkdir(join(directory, "layers"), { recursive: true });
  execFileSync("mkfifo", [join(directory, into)]);
  return async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of createReadStream(join(directory, into))) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };
}

test("fetcher: documents, signatures, layers, done", async () => {
  const layers = [
    randomBytes(3_000_000),
    randomBytes(10),
    randomBytes(200_000),
    Buffer.alloc(0),
    randomBytes(1),
  ];
  await using registry = await startRegistry({ token: {} });
  const manifest = registry.image("team/app", "1", layers);
  await using fetcher = await startFetcher();
  fetcher.tell(request(fetcher, registry));
  const resolved = await fetcher.hear("resolved");
  assert.deepEqual(resolved, {
    event: "resolved",
    manifest,
    indexes: [],
    signatures: [],
    host: `127.0.0.1:${registry.port}`,
  });
  const index = JSON.parse(await readFile(join(fetcher.directory, "index.json"), "utf8"));
  assert.deepEqual(index.manifests, [manifest]);
  assert.equal((await readdir(join(fetcher.directory, "blobs/sha256"))).length, 2);
  for (const digest of [manifest.digest]) {
    const bytes = await readFile(join(fetcher.directory, "blobs", digest.replace(":", "/")));
    assert.equal(digestOf(bytes), digest);
  }
  const readers = await Promise.all(layers.map((_, at) => makeFifo(fetcher, `layers/${at}`)));
  const wanted = layers.map((bytes, at) => ({
    digest: digestOf(bytes),
    size: bytes.length,
    into: `layers/${at}`,
  }));
  fetcher.tell({ get: wanted.slice(0, 2) });
  fetcher.tell({ get: wanted.slice(2) });
  fetcher.tell({ end: true });
  const read = await Promise.all(readers.map((reader) => reader()));
  assert.deepEqual(
    read.map((bytes) => digestOf(bytes)),
    layers.map((bytes) => digestOf(bytes)),
  );
  await fetcher.hear("done");
  const told = fetcher.events.filter((event) => event.event === "layer").map(({ digest }) => digest);
  assert.deepEqual(told.sort(), layers.map((bytes) => digestOf(bytes)).sort());
  assert.equal(await fetcher.ended, 0);
  assert.equal(registry.tokens.length, 1);
});

test("fetcher: at most three layers at a time", async () => {
  const layers = Array.from({ length: 8 }, () => randomBytes(1000));
  let open = 0;
  let most = 0;
  await using registry = await startRegistry({
    intercept: (_, response, url) => {
      if (layers.some((bytes) => url.pathname.endsWith(digestOf(bytes)))) {
        most = Math.max(most, ++open);
        response.on("finish", () => open--);
      }
      return false;
    },
  });
  registry.image("team/app", "1", layers);
  await using fetcher = await startFetcher();
  fetcher.tell(request(fetcher, registry));
  await fetcher.hear("resolved");
  const readers = await Promise.all(layers.map((_, at) => makeFifo(fetcher, `layers/${at}`)));
  fetcher.tell({
    get: layers.map((bytes, at) => ({ digest: digestOf(bytes), size: 1000, into: `layers/${at}` })),
  });
  fetcher.tell({ end: true });
  await Promise.all(readers.map((reader) => reader()));
  await fetcher.hear("done");
  assert.ok(most <= 3, `${most} at a time`);
});

test("fetcher: a layer that is cut goes on, and one that a mirror lacks comes from the registry", async () => {
  const layer = randomBytes(2_500_000);
  let cuts = 0;
  await using mirror = await startRegistry();
  await using registry = await startRegistry({
    intercept: (request, response, url) => {
      if (!url.pathname.endsWith(digestOf(layer)) || cuts > 1) return false;
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(start === 0 ? 200 : 206, {
        "content-length": layer.length - start,
        "content-range": `bytes ${start}-${layer.length - 1}/${layer.length}`,
      });
      const part = layer.subarray(start, start + 1_000_000);
      response.write(part, () => setTimeout(() => response.socket?.destroy(), 50));
      cuts++;
      return true;
    },
  });
  registry.image("team/app", "1", [layer]);
  await using fetcher = await startFetcher();
  const sources = [{ url: mirror.url, capabilities: ["pull"] as ["pull"] }, {}];
  fetcher.tell(request(fetcher, registry, { sources }));
  await fetcher.hear("resolved");
  const reader = await makeFifo(fetcher, "layers/0");
  fetcher.tell({ get: [{ digest: digestOf(layer), size: layer.length, into: "layers/0" }] });
  fetcher.tell({ end: true });
  assert.equal(digestOf(await reader()), digestOf(layer));
  const { host } = await fetcher.hear("layer");
  assert.equal(host, `127.0.0.1:${registry.port}`);
  await fetcher.hear("done");
  const log = fetcher.events.filter((event) => event.event === "log").map(({ text }) => text);
  assert.equal(log.filter((text) => /it goes on at byte/.test(text)).length, 2, log.join("\n"));
  assert.equal(log.filter((text) => /is asked next/.test(text)).length, 1);
});

test("fetcher: a foreign layer comes from where its descriptor says", async () => {
  const layer = randomBytes(5000);
  await using registry = await startRegistry();
  await using elsewhere = await startRegistry();
  elsewhere.blob("x", layer);
  registry.image("team/app", "1", [randomBytes(10)]);
  await using fetcher = await startFetcher();
  fetcher.tell(request(fetcher, registry));
  await fetcher.hear("resolved");
  const reader = await makeFifo(fetcher, "layers/0");
  const digest = digestOf(layer);
  const urls = ["file:///etc/shadow", "nonsense", `${elsewhere.url}/v2/x/blobs/${digest}`];
  fetcher.tell({ get: [{ digest, size: layer.length, urls, into: "layers/0" }] });
  assert.equal(digestOf(await reader()), digest);
  assert.equal((await fetcher.hear("layer")).host, `127.0.0.1:${elsewhere.port}`);
});

/** Asks for one layer of a registry that does something wrong with it; the failure, and the exit status. */
async function failing(
  intercept: NonNullable<Parameters<typeof startRegistry>[0]>["intercept"],
  limits: TimeLimits = {},
): Promise<[Said<"failed">, number | null, string]> {
  const layer = randomBytes(100_000);
  const digest = digestOf(layer);
  await using registry = await startRegistry({
    intercept: (request, response, url) =>
      url.pathname.endsWith(digest) && intercept?.(request, response, url) === true,
  });
  registry.image("team/app", "1", [layer]);
  await using fetcher = await startFetcher();
  fetcher.tell(request(fetcher, registry, { limits }));
  await fetcher.hear("resolved");
  const reader = await makeFifo(fetcher, "layers/0");
  fetcher.tell({ get: [{ digest, size: layer.length, into: "layers/0" }] });
  const [failed] = await Promise.all([fetcher.hear("failed"), reader()]);
  return [failed, await fetcher.ended, digest];
}

type Fault = (request: IncomingMessage, response: ServerResponse) => unknown;

const LAYER_FAULTS: readonly (readonly [string, ErrorKind, number, string, TimeLimits, Fault])[] = [
  ["is gone", "NoSuchImage", 4, "answers 404", {}, (_, response) => complain(response, 404, "BLOB_UNKNOWN")],
  [
    "is too large",
    "DigestMismatch",
    1,
    "100000 bytes",
    {},
    (_, response) => response.end(Buffer.alloc(100_001)),
  ],
  ["is too small", "DigestMismatch", 1, "100000 bytes", {}, (_, response) => response.end("x")],
  ["stalls", "TimedOut", 1, "too slow", { idle: 1500 }, (_, response) => response.writeHead(200).write("x")],
  ["is always cut", "FetchFailed", 1, "was cut", {}, (request) => request.socket.destroy()],
];

for (const [what, kind, exit, text, limits, fault] of LAYER_FAULTS) {
  test(`fetcher: a layer that ${what}`, async () => {
    const [failed, status, digest] = await failing((request, response) => {
      fault(request, response);
      return true;
    }, limits);
    assert.deepEqual([failed.kind, status], [kind, exit], failed.text);
    // A failed connection is named by its URL, which ends with the digest.
    assert.ok(failed.text.includes(digest) && failed.text.includes(text), failed.text);
  });
}

test("fetcher: a reader that goes away ends it", async () => {
  const layer = randomBytes(5_000_000);
  await using registry = await startRegistry();
  registry.image("team/app", "1", [layer]);
  await using fetcher = await startFetcher();
  fetcher.tell(request(fetcher, registry));
  await fetcher.hear("resolved");
  await makeFifo(fetcher, "layers/0");
  fetcher.tell({ get: [{ digest: digestOf(layer), size: layer.length, into: "layers/0" }] });
  for await (const _ of createReadStream(join(fetcher.directory, "layers/0"))) break;
  const failed = await fetcher.hear("failed");
  assert.deepEqual([failed.kind, await fetcher.ended], ["FetchFailed", 1]);
  assert.match(failed.text, /nobody reads ".*layers\/0" any more/);
});

test("fetcher: only FIFOs are written", async () => {
  await using registry = await startRegistry();
  registry.image("team/app", "1", [randomBytes(10)]);
  await using fetcher = await startFetcher();
  fetcher.tell(request(fetcher, registry));
  await fetcher.hear("resolved");
  await writeFile(join(fetcher.directory, "precious"), "as it was");
  fetcher.tell({ get: [{ digest: `sha256:${"a".repeat(64)}`, size: 10, into: "precious" }] });
  assert.match((await fetcher.hear("failed")).text, /precious" is no FIFO/);
  assert.equal(await readFile(join(fetcher.directory, "precious"), "utf8"), "as it was");
});

for (const [what, lines, kind, text] of [
  ["nothing", [], "Cancelled", "said nothing"],
  ["no JSON", ["hello"], "BadManifest", "the request"],
  ["another version", [JSON.stringify({ version: 2, kind: "registry" })], "BadManifest", '"version"'],
  ["a line without end", ["x".repeat(9_000_000)], "BadManifest", "too long"],
] as const) {
  test(`fetcher: a manager that says ${what}`, async () => {
    await using fetcher = await startFetcher();
    for (const line of lines) fetcher.process.stdin?.write(line);
    fetcher.process.stdin?.end();
    const failed = await fetcher.hear("failed");
    assert.equal(failed.kind, kind, failed.text);
    assert.ok(failed.text.includes(text), failed.text);
    assert.notEqual(await fetcher.ended, 0);
  });
}

test("fetcher: a manager that goes away, or asks for nonsense, ends it at once", async () => {
  for (const [last, kind] of [
    [undefined, "Cancelled"],
    [{ get: [{ digest: "x" }] }, "BadManifest"],
  ] as const) {
    await using registry = await startRegistry();
    registry.image("team/app", "1", [randomBytes(10)]);
    await using fetcher = await startFetcher();
    fetcher.tell(request(fetcher, registry));
    await fetcher.hear("resolved");
    if (last === undefined) fetcher.process.stdin?.end();
    else fetcher.tell(last);
    assert.equal((await fetcher.hear("failed")).kind, kind);
  }
});

test("fetcher: secrets of the request appear in no event", async () => {
  await using registry = await startRegistry({ token: { user: "me:right" } });
  await using fetcher = await startFetcher();
  const credentials = { kind: "basic", user: "me", password: "very-secret" } as const;
  fetcher.tell(request(fetcher, registry, { sources: [{ credentials }] }));
  assert.equal((await fetcher.hear("failed")).kind, "AccessDenied");
  assert.doesNotMatch(JSON.stringify(fetcher.events), /very-secret/);
  assert.equal(await fetcher.ended, 6);
});
