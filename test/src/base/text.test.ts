import assert from "node:assert/strict";
import { test } from "node:test";
import { isPrintable, printable, quoted, withoutSecrets } from "../../../src/base/text.ts";

test("printable escapes what moves a cursor, forges a line or turns the writing direction", () => {
  assert.equal(printable("a\n\x1b[31mb\x7f\u0085"), "a\\x0a\\x1b[31mb\\x7f\\x85");
  assert.equal(printable("x\u2028y\u202ez\u2066"), "x\\u2028y\\u202ez\\u2066");
  assert.equal(printable("grün 日本 ok"), "grün 日本 ok");
});

test("quoted cuts what is too long", () => {
  assert.equal(quoted("abc"), '"abc"');
  assert.equal(quoted("abcdef", 3), '"abc…"');
});

test("what is shown as it is must be text without controls and without half a surrogate pair", () => {
  for (const text of ["", "grün 日本 ok", "\u{1f600}"]) assert.ok(isPrintable(text), text);
  for (const text of ["a\n", "\x1b[2J", "\u009b", "\u202e", "\ud83d", "\ude00a"])
    assert.ok(!isPrintable(text), quoted(text));
});

test("withoutSecrets leaves of URLs what everybody may know", () => {
  for (const [text, shown] of [
    ["https://h.example:8443/a@b.aci", "https://h.example:8443/a@b.aci"],
    ["https://h.example/a.aci?X-Amz-Signature=s#t", "https://h.example/a.aci"],
    ["HTTPS://me:p@ss@h.example/a.aci", "HTTPS://h.example/a.aci"],
    ["https://me:pa/ss@h.example/a.aci", "https://…"],
    ["https://me:pa?ss@h.example/a.aci", "https://…"],
    ["\"http://h/a?s\": gone; 'https://u@h/b?s'", "\"http://h/a\": gone; 'https://h/b'"],
    ["docker://h/a:1 and file:///a?b", "docker://h/a:1 and file:///a?b"],
  ] as const)
    assert.equal(withoutSecrets(text), shown);
});
