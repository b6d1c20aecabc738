import assert from "node:assert/strict";
import { test } from "node:test";
import { isIdentifier, isName } from "../../../src/image/app-name.ts";

test("identifiers have one separator at a time, between alphanumerics", () => {
  for (const text of ["a", "example.com/app", "a-b_c~d.e/f", "0"])
    assert.equal(isIdentifier(text), true, text);
  for (const text of ["", "a--b", "a//b", "-a", "a-", "A", "a b", "a\n", "ä"])
    assert.equal(isIdentifier(text), false, text);
});

test("names are RFC 1123 labels", () => {
  for (const text of ["a", "a-b", "0-1"]) assert.equal(isName(text), true, text);
  for (const text of ["", "a.b", "a/b", "a--b", "-a", "a\n"]) assert.equal(isName(text), false, text);
});
