/** Tags to URLs: prefixes, templates, labels (appc 0.8.11, "App Container Image Discovery"). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { containsName, endpointsOf, keySourcesOf, signatureUrl } from "../../../src/discovery/template.ts";
import { refusal } from "../../fixtures/refusal.ts";

const labels = { version: "1.0", os: "linux", arch: "amd64" };
const app = { name: "example.com/foo/app", labels };
const secure = { http: false };

function endpoints(contents: readonly string[], options = secure) {
  const tags = contents.map((content) => ({ name: "ac-discovery", content }));
  return endpointsOf(tags, app, options);
}

test("prefixes end where segments end", () => {
  const cases: readonly (readonly [prefix: string, name: string, contains: boolean])[] = [
    ["example.com", "example.com", true],
    ["example.com", "example.com/foo", true],
    ["example.com/foo", "example.com/foo", true],
    ["example.com/foo", "example.com/foo/bar", true],
    ["example.com/foo", "example.com/foobar", false],
    ["example.com/foo", "example.com", false],
    ["example.com", "example.com.evil", false],
    ["example", "example.com", false],
    ["", "example.com", false],
  ];
  for (const [prefix, name, contains] of cases) {
    assert.equal(containsName(prefix, name), contains, `${prefix} ${name}`);
  }
});

test("a template is rendered with name, labels and extension, twice", () => {
  assert.deepEqual(endpoints(["example.com https://dl.example.com/{name}-{version}-{os}-{arch}.{ext}"]), [
    {
      image: "https://dl.example.com/example.com/foo/app-1.0-linux-amd64.aci",
      signature: "https://dl.example.com/example.com/foo/app-1.0-linux-amd64.aci.asc",
    },
  ]);
});

test("a template without an extension has its signature by rule, or none", () => {
  assert.deepEqual(
    endpoints(["example.com https://a.example/x.aci?k=1", "example.com https://a.example/x"]),
    [
      { image: "https://a.example/x.aci?k=1", signature: "https://a.example/x.aci.asc?k=1" },
      { image: "https://a.example/x" },
    ],
  );
  assert.equal(signatureUrl("https://a.example/x.ACI"), undefined);
});

test("several templates keep their order; those that cannot be used are skipped", () => {
  const found = endpoints([
    "example.com https://a.example/{name}-{color}.{ext}",
    "example.com/foobar https://b.example/{name}.{ext}",
    "example.com http://c.example/{name}.{ext}",
    "example.com ftp://d.example/{name}.{ext}",
    "example.com file:///etc/shadow",
    "example.com javascript:alert(1)",
    "example.com https://user:secret@e.example/{name}.{ext}",
    "example.com",
    "example.com https://f.example/x https://g.example/x",
    "example.com https://{ext} x",
    "example.com/foo/ https://h.example/{ext}",
    "  example.com/foo/app\n\thttps://i.example/{ext}  ",
    "example.com https://j.example/{__proto__}{ext}",
    "example.com https://j.example/{constructor}{ext}",
    "example.com https://j.example/{}{ext}",
  ]);
  assert.deepEqual(
    found.map(({ image }) => image),
    ["https://h.example/aci", "https://i.example/aci"],
  );
});

test("http is for those who allowed it", () => {
  const tags = ["example.com http://c.example/{name}.{ext}", "example.com https://c.example/{name}.{ext}"];
  const found = endpoints(tags, { http: true });
  assert.deepEqual(
    found.map(({ image }) => new URL(image).protocol),
    ["http:", "https:"],
  );
});

test("what a label says is text and never a template", () => {
  const tag = { name: "ac-discovery", content: "example.com https://a.example/{version}.{ext}" };
  const [found] = endpointsOf([tag], { name: "example.com", labels: { version: "{ext}-$&-$1" } }, secure);
  assert.equal(found?.image, "https://a.example/%7Bext%7D-$&-$1.aci");
});

test("keys have URLs, and no templates", () => {
  const tags = [
    { name: "ac-discovery-pubkeys", content: "example.com https://a.example/{name}.gpg" },
    { name: "ac-discovery-pubkeys", content: "example.com/foo https://a.example/keys.gpg" },
    { name: "ac-discovery-pubkeys", content: "example.com/fo https://a.example/fo.gpg" },
    { name: "ac-discovery-pubkeys", content: "example.com http://a.example/keys.gpg" },
    { name: "ac-discovery-pubkeys", content: "example.com /etc/keys.gpg" },
    { name: "ac-discovery", content: "example.com https://a.example/{name}.{ext}" },
  ];
  assert.deepEqual(keySourcesOf(tags, app.name, secure), [
    { prefix: "example.com", url: "https://a.example/%7Bname%7D.gpg" },
    { prefix: "example.com/foo", url: "https://a.example/keys.gpg" },
  ]);
});

test("thousands of tags about one name are refused, thousands about others are not", () => {
  const many = (prefix: string) =>
    Array.from({ length: 5000 }, (_, at) => `${prefix} https://a.example/${at}.{ext}`);
  const text = '5000 ac-discovery tags for "example.com/foo/app", more than 32';
  assert.throws(() => endpoints(many("example.com")), refusal("FetchFailed", 1, text));
  const others = many("example.com/other");
  assert.equal(endpoints([...others, "example.com https://a.example/{ext}"]).length, 1);
});
