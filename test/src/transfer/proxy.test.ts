/** Which URLs go through a proxy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { proxyFor } from "../../../src/transfer/proxy.ts";

const SETTINGS = { http: "http://plain:1", https: "http://secure:2" };

function through(url: string, except?: string): string | undefined {
  return proxyFor(new URL(url), { ...SETTINGS, ...(except === undefined ? {} : { except }) })?.host;
}

test("proxy: each scheme has its own, and none is none", () => {
  assert.deepEqual([through("http://a.test/"), through("https://a.test/")], ["plain:1", "secure:2"]);
  assert.equal(proxyFor(new URL("https://a.test/"), { http: "http://plain:1" }), undefined);
  assert.equal(proxyFor(new URL("https://a.test/")), undefined);
});

test("proxy: this machine is never asked of one", () => {
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"]) {
    assert.equal(through(`http://${host}:5000/`), undefined, host);
  }
});

for (const [except, direct, proxied] of [
  ["*", ["http://a.test/"], []],
  ["a.test", ["http://a.test/", "https://x.a.test:8/"], ["http://ba.test/", "http://a.test.org/"]],
  [".a.test, *.b.test ,", ["http://x.a.test/", "http://x.b.test/"], ["http://ab.test/"]],
  ["A.Test", ["http://a.test/"], []],
  ["a.test:8080", ["http://a.test:8080/"], ["http://a.test/", "https://a.test/"]],
  ["a.test:443", ["https://a.test/"], ["http://a.test/"]],
  [
    "10.0.0.0/8,192.168.1.1",
    ["http://10.200.3.4/", "http://192.168.1.1/"],
    ["http://11.0.0.1/", "http://192.168.1.2/"],
  ],
  ["fd00::/8,[2001:db8::1]:80", ["http://[fd12::1]/", "http://[2001:db8::1]/"], ["http://[fe80::1]/"]],
  ["10.0.0.0/99,x/8,/,:", [], ["http://10.0.0.1/", "http://x/"]],
  ["1", [], ["http://1.1.1.1/"]],
] as const) {
  test(`proxy: NO_PROXY ${except}`, () => {
    for (const url of direct) assert.equal(through(url, except), undefined, url);
    for (const url of proxied) assert.notEqual(through(url, except), undefined, url);
  });
}
