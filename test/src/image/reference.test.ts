import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { type FileReference, fileReferenceText, parseImageReference } from "../../../src/image/reference.ts";
import { refusal } from "../../fixtures/refusal.ts";

const HEX64 = "0123456789abcdef".repeat(4);

const FORMS: readonly (readonly [argument: string, reference: object])[] = [
  ["oci:/srv/app", { kind: "oci-layout", path: "/srv/app" }],
  ["oci:/srv/app:1.0", { kind: "oci-layout", path: "/srv/app", ref: "1.0" }],
  [
    "oci:/srv/app:host.example:5000/a:1",
    { kind: "oci-layout", path: "/srv/app", ref: "host.example:5000/a:1" },
  ],
  [`oci:app:@sha256:${HEX64}`, { kind: "oci-layout", path: resolve("app"), ref: `@sha256:${HEX64}` }],
  ["oci-archive:a.tar", { kind: "oci-archive", path: resolve("a.tar") }],
  ["oci-archive:a.tar:latest", { kind: "oci-archive", path: resolve("a.tar"), ref: "latest" }],
  ["docker-archive:a.tar:busybox:1", { kind: "docker-archive", path: resolve("a.tar"), ref: "busybox:1" }],
  ["file:///srv/a%20b.aci", { kind: "file", path: "/srv/a b.aci" }],
  ["file://localhost/srv/a.aci", { kind: "file", path: "/srv/a.aci" }],
  ["/srv/a.tar", { kind: "file", path: "/srv/a.tar" }],
  ["./a.tar", { kind: "file", path: resolve("a.tar") }],
  ["../a.tar", { kind: "file", path: resolve("../a.tar") }],
  ["a.aci", { kind: "file", path: resolve("a.aci") }],
  [`sha256-${HEX64}`, { kind: "id", algorithm: "sha256", hex: HEX64 }],
  [`sha512:${HEX64}`, { kind: "id", algorithm: "sha512", hex: HEX64 }],
  ["sha512-0123456789ab", { kind: "id", algorithm: "sha512", hex: "0123456789ab" }],
  ["0123456789ab", { kind: "id", hex: "0123456789ab" }],
  ["0123456789a", { kind: "name", name: "0123456789a", app: { name: "0123456789a", labels: {} } }],
  ["busybox", { kind: "name", name: "busybox", app: { name: "busybox", labels: {} } }],
  [
    "example.com/app:1.0,os=linux,arch=amd64",
    {
      kind: "name",
      name: "example.com/app:1.0,os=linux,arch=amd64",
      app: { name: "example.com/app", labels: { version: "1.0", os: "linux", arch: "amd64" } },
    },
  ],
  ["127.0.0.1:5000/app:1", { kind: "name", name: "127.0.0.1:5000/app:1" }],
  [
    "docker://debian",
    { kind: "registry", repository: { registry: "docker.io", repository: "library/debian", tag: "latest" } },
  ],
  [
    "docker:debian:12",
    { kind: "registry", repository: { registry: "docker.io", repository: "library/debian", tag: "12" } },
  ],
  [
    "oci://r.example/a/b:1",
    { kind: "registry", repository: { registry: "r.example", repository: "a/b", tag: "1" } },
  ],
  ["https://e.example/a.aci", { kind: "url", url: "https://e.example/a.aci" }],
];

for (const [argument, reference] of FORMS) {
  test(`parses ${argument}`, () => assert.deepEqual(parseImageReference(argument), reference));
}

const WRONG: readonly (readonly [argument: string, text: string])[] = [
  ["", "empty"],
  ["a\0b", "NUL"],
  ["oci:", "no path"],
  ["oci:/srv/app:", "after its last colon"],
  ["file://relative", "no absolute path"],
  ["file:///%zz", "well-formed"],
  ["https://", "well-formed"],
  ['https://e.example/"a".aci', "well-formed"],
  ["https://user@e.example/a.aci", 'the URL "https://e.example/a.aci" comes with a user'],
  ["https://user:pw@e.example/a.aci?s", 'the URL "https://e.example/a.aci" comes with a user'],
  ["sha256-0123456789a", "12 to 64"],
  [`sha256-${HEX64}0`, "12 to 64"],
  ["docker://UPPER", "UPPER"],
  ["Upper", "Upper"],
  ["a b", "a b"],
  ["app,version", '"version" has no value'],
  ["app:1,version=2", "version is given more than once"],
  ["app,os=", "os is empty"],
  ["app,os:x=1", "colon"],
  ["app:1\u001b[2J", "label version cannot be printed"],
  ["app:1\ud800", "label version cannot be printed"],
  ["line\nbreak", "line\\x0abreak"],
];

for (const [argument, text] of WRONG) {
  test(`refuses ${JSON.stringify(argument)}`, () => {
    assert.throws(() => parseImageReference(argument), refusal("BadReference", 2, text));
  });
}

test("the text of a file reference means the same again", () => {
  for (const argument of [
    "oci:/srv/app:1.0",
    "oci-archive:/a.tar",
    "docker-archive:/a.tar:b:1",
    "/srv/a.aci",
  ]) {
    assert.equal(fileReferenceText(parseImageReference(argument) as FileReference), argument);
  }
});
