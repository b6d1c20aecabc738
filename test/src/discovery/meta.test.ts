/** Meta tags out of pages that nobody wrote for us. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readMeta } from "../../../src/discovery/meta.ts";

const tag = { name: "ac-discovery", content: "example.com https://example.com/{name}.{ext}" };
const plain = `<meta name="${tag.name}" content="${tag.content}">`;
const RAW = ["script", "style", "title", "textarea"];

const pages: readonly (readonly [what: string, page: string, found: readonly object[]])[] = [
  ["a plain tag", plain, [tag]],
  ["a self-closing one", plain.replace(/>$/, " />"), [tag]],
  [
    "upper case, line breaks, other attributes",
    `<META\n ID=x\n NAME='${tag.name}'\tCONTENT = "${tag.content}">`,
    [tag],
  ],
  ["unquoted values", "<meta name=a content=b>", [{ name: "a", content: "b" }]],
  [
    "entities",
    '<meta name="a" content="x&amp;y &#104;ttp &#x1F600;">',
    [{ name: "a", content: "x&y http 😀" }],
  ],
  [
    "the first of a repeated attribute",
    "<meta name=a name=b content=c content=d content>",
    [{ name: "a", content: "c" }],
  ],
  ["an empty attribute is one", '<meta name="" name=b content=c>', [{ name: "", content: "c" }]],
  ["no content", "<meta name=a><meta content=b>", []],
  ["text between tags", `<!doctype html><p>a < b${plain}</p>`, [tag]],
  ["not in a comment", `<!-- ${plain} -->`, []],
  ["not in text-only elements", RAW.map((name) => `<${name}>${plain}</${name}>`).join(""), []],
  ["not in another tag's attribute", `<p title='${plain}'>`, []],
  ["not a tag whose name only begins so", plain.replace("meta", "metadata"), []],
  ["not an end tag", plain.replace("<", "</"), []],
  ["not a tag that does not end", `${plain}<meta name="a" content="b"`, [tag]],
  [
    "prototype names are names like others",
    "<meta __proto__=x constructor=y name=__proto__ content=toString>",
    [{ name: "__proto__", content: "toString" }],
  ],
];

for (const [what, page, found] of pages) {
  test(`meta tags: ${what}`, () => assert.deepEqual(readMeta(page), found));
}

const MIB = 2 ** 20;
const fill = (unit: string, bytes = MIB) => unit.repeat(Math.floor(bytes / unit.length));

test("meta tags: what is deep, repeated or endless costs no more than its length", () => {
  const hostile = [
    fill("<a>"),
    fill("<a></b>"),
    fill("<a>", MIB / 2) + fill("</b>", MIB / 2),
    `<meta ${fill("a=b ")}>`,
    `<meta ${fill("name=a ")}>`,
    `<meta content="${fill("&")}">`,
    `<meta content="${fill("&#38;")}" name=a>`,
    `<meta name="${fill('<meta name="')}`,
    ...["<", "<!--", "<!", "<?", "<script>", "</script", "&notit;", "<title>&", "\0", "<![CDATA["].map(
      (unit) => fill(unit),
    ),
    fill("<meta name=a content=b>"),
  ];
  for (const page of hostile) {
    const before = process.cpuUsage();
    assert.ok(readMeta(page).length <= MIB / 23);
    const { user, system } = process.cpuUsage(before);
    // A hundred times of what it takes; a quadratic scanner needs hours.
    assert.ok(user + system < 20_000_000, `${page.slice(0, 20)}… took ${(user + system) / 1e6} s`);
  }
});

test("meta tags: pages out of pieces of tags never fail, and what stands before them changes nothing", () => {
  const pieces =
    "< > / = \" ' & ; meta name content a <!-- --> <script </script> &#x41; é <meta name= content= <title>".split(
      " ",
    );
  let state = 7;
  const next = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  let tags = 0;
  for (let round = 0; round < 20_000; round++) {
    const separator = ["", " ", "\n", "\0"][next(4)];
    const page = Array.from({ length: next(60) }, () => pieces[next(pieces.length)]).join(separator);
    const found = readMeta(page);
    tags += found.length;
    assert.ok(found.length <= (page.match(/<meta/g)?.length ?? 0), JSON.stringify(page));
    assert.deepEqual(readMeta(`<p>${page}`), found, JSON.stringify(page));
  }
  assert.ok(tags > 100, `${tags} tags in all`);
});
