/** The conversation of manager and fetcher: what is refused, and that docs/fetcher.md tells every event. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Command, Event, Request } from "../../../src/inbox/protocol.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

const REQUEST = {
  version: 1,
  kind: "registry",
  directory: "/inbox",
  reference: "docker.io/library/busybox:1.36",
  platform: { os: "linux", architecture: "amd64", variants: ["v1"] },
  sources: [{ url: "https://registry-1.docker.io", capabilities: ["pull", "resolve"] }],
  signatures: { lookaside: [], cosign: true, referrers: true },
};

test("protocol: a request with everything that may be left out, and one with nothing of it", () => {
  assert.deepEqual(Request.parse(REQUEST), REQUEST);
  const full = {
    ...REQUEST,
    sources: [
      {
        url: "http://127.0.0.1:5000/mirror",
        capabilities: ["pull"],
        repository: "other/name",
        credentials: { kind: "basic", user: "u", password: "p" },
        ca: "PEM",
        insecureTls: true,
        plainHttp: true,
      },
    ],
    proxy: { http: "http://proxy:3128", https: "http://proxy:3128", except: "localhost,.example" },
    authorities: "PEM",
    limits: { connect: 1, idle: 1, slow: 1, rate: 0, document: 1, attempts: 1, pause: 0, longestPause: 0 },
  };
  assert.deepEqual(Request.parse(full), full);
});

for (const [what, change] of [
  ["another version", { version: 2 }],
  ["an unknown kind", { kind: "ftp" }],
  ["an unknown key", { secret: "x" }],
  ["no source", { sources: [] }],
  ["a source that is no http", { sources: [{ url: "file:///etc/shadow", capabilities: ["pull"] }] }],
  ["a relative directory", { directory: "inbox" }],
] as const) {
  test(`protocol: a request with ${what} is refused`, () => {
    assert.equal(Request.safeParse({ ...REQUEST, ...change }).success, false);
  });
}

test("protocol: a FIFO's name can't leave the directory", () => {
  const wanted = (into: string) => Command.safeParse({ get: [{ digest: DIGEST, size: 1, into }] }).success;
  assert.ok(wanted("layers/0"));
  for (const into of ["../x", "/x", "layers/../../x", "layers//x", "", ".", "layers/"]) {
    assert.equal(wanted(into), false, into);
  }
});

test("protocol: a command is get or end, not both", () => {
  assert.ok(Command.safeParse({ end: true }).success);
  assert.equal(Command.safeParse({ end: true, get: [] }).success, false);
  assert.equal(Command.safeParse({}).success, false);
});

test("protocol: a failure has a kind of the error table", () => {
  assert.ok(Event.safeParse({ event: "failed", kind: "FetchFailed", text: "x" }).success);
  assert.equal(Event.safeParse({ event: "failed", kind: "Nonsense", text: "x" }).success, false);
});

test("protocol: docs/fetcher.md tells every event", async () => {
  const text = await readFile("docs/fetcher.md", "utf8");
  const told = [...text.matchAll(/^\| `\{"event":"(\w+)"/gm)].map(([, name]) => name);
  const known = Event.options.map((option) => option.shape.event.value);
  assert.deepEqual(told.sort(), known.sort());
});
