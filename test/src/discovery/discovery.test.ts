/** The walk from a name to its host. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GantryError } from "../../../src/base/errors.ts";
import { discoverImage, discoverKeys } from "../../../src/discovery/discovery.ts";
import { refusal } from "../../fixtures/refusal.ts";

const app = { name: "example.com/a/b", labels: { os: "linux" } };
const template = "https://dl.example.com/{name}-{version}-{os}.{ext}";
const tag = (prefix: string, url: string, kind = "ac-discovery") =>
  `<meta name="${kind}" content="${prefix} ${url}">`;
const page = (path: string, scheme = "https") => `${scheme}://example.com${path}?ac-discovery=1`;

/** Pages by URL; what is asked for is written down. An error in place of a page is thrown. */
function web(pages: Readonly<Record<string, string | Error>>) {
  const asked: string[] = [];
  const get = async (url: string) => {
    asked.push(url);
    const found = pages[url];
    if (found instanceof Error) throw found;
    return found;
  };
  return { asked, get };
}

test("the name itself is asked first, and latest is the version nobody gave", async () => {
  const { asked, get } = web({ [page("/a/b")]: tag("example.com", template) });
  const [endpoint] = await discoverImage(app, { get, http: false });
  assert.equal(endpoint?.image, "https://dl.example.com/example.com/a/b-latest-linux.aci");
  assert.deepEqual(asked, [page("/a/b")]);
  const labels = { os: "linux", version: "2" };
  const [given] = await discoverImage({ ...app, labels }, { get, http: false });
  assert.match(given?.image ?? "", /b-2-linux/);
});

test("its parents are asked where there is no page or no tag for it, and the first that has one ends it", async () => {
  const { asked, get } = web({
    [page("/a")]: tag("example.com/other", template),
    [page("")]: tag("example.com", template),
  });
  assert.equal((await discoverImage(app, { get, http: false })).length, 1);
  assert.deepEqual(asked, [page("/a/b"), page("/a"), page("")]);
});

test("a tag whose template lacks a label leaves the parents to be asked", async () => {
  const { get } = web({
    [page("/a/b")]: tag("example.com", "https://x.example/{color}.{ext}"),
    [page("")]: tag("example.com", template),
  });
  const [endpoint] = await discoverImage(app, { get, http: false });
  assert.match(endpoint?.image ?? "", /^https:\/\/dl\.example/);
});

test("keys are looked for on their own, whatever images are offered", async () => {
  const { asked, get } = web({
    [page("/a/b")]: tag("example.com", template),
    [page("")]: tag("example.com", "https://example.com/keys.asc", "ac-discovery-pubkeys"),
  });
  const found = await discoverKeys(app.name, { get, http: false });
  assert.deepEqual(found, [{ prefix: "example.com", url: "https://example.com/keys.asc" }]);
  assert.equal(asked.length, 3);
});

test("nothing found names the image and what was asked", async () => {
  const { get } = web({ [page("/a")]: "<html>" });
  const refused = refusal(
    "FetchFailed",
    1,
    'discovery failed for "example.com/a/b": no endpoints discovered',
    '"example.com/a/b" has no page, "example.com/a" has no tag for it, "example.com" has no page',
  );
  await assert.rejects(discoverImage(app, { get, http: false }), refused);
});

test("http is asked only where it is allowed, and behind https", async () => {
  const down = new GantryError("FetchFailed", "https://example.com/a/b does not answer");
  const pages = { [page("/a/b")]: down, [page("/a/b", "http")]: tag("example.com", template) };
  const allowed = web(pages);
  assert.equal((await discoverImage(app, { get: allowed.get, http: true })).length, 1);
  const strict = web(pages);
  const refused = refusal("FetchFailed", 1, "does not answer");
  await assert.rejects(discoverImage(app, { get: strict.get, http: false }), refused);
  assert.deepEqual(strict.asked, [page("/a/b")]);
});

test("what is no failure of the transfer ends the walk, http or not", async () => {
  const { asked, get } = web({ [page("/a/b")]: new GantryError("Cancelled", "the fetch was cancelled") });
  await assert.rejects(discoverImage(app, { get, http: true }), refusal("Cancelled", 1, "cancelled"));
  assert.equal(asked.length, 1);
});

test("a name of a thousand parts is not walked", async () => {
  const { asked, get } = web({});
  const name = ["example.com", ...Array.from({ length: 1000 }, () => "a")].join("/");
  const refused = refusal("FetchFailed", 1, "more than 16 parts");
  await assert.rejects(discoverImage({ name, labels: {} }, { get, http: false }), refused);
  assert.deepEqual(asked, []);
});
