import assert from "node:assert/strict";
import { test } from "node:test";
import { isObjectPath, isSignature, parseSignature, type ValueOf } from "../../../src/bus/signature.ts";

test("signature: complete types become trees", () => {
  assert.deepEqual(
    parseSignature("sa{sv}a(ob)ay").map((tree) => tree.code),
    ["s", "{", "a", "a"],
  );
  assert.deepEqual(
    parseSignature("a{sv}")[0]?.children.map((tree) => tree.code),
    ["s", "v"],
  );
  assert.deepEqual(parseSignature(""), []);
});

for (const bad of [
  "a",
  "(",
  "()",
  "a{s}",
  "a{vs}",
  "a{sss}",
  "z",
  "(s",
  "s)",
  "{ss}",
  `${"a".repeat(80)}s`,
]) {
  test(`signature: "${bad.slice(0, 12)}" is refused`, () => {
    assert.equal(isSignature(bad), false);
    assert.throws(() => parseSignature(bad), { name: "InvalidArgs", message: /Malformed signature/ });
  });
}

test("signature: object paths", () => {
  for (const good of ["/", "/a", "/org/gantry1/pod/_31"]) assert.ok(isObjectPath(good), good);
  for (const bad of ["", "a", "//", "/a/", "/a-b", "/a//b", "/ü"]) assert.ok(!isObjectPath(bad), bad);
});

test("signature: types are the values'", () => {
  // tsc is what checks these lines.
  const dictionary: ValueOf<"a{sv}"> = { key: { signature: "s", value: "x" } };
  const nested: ValueOf<"a(sa(tb))"> = [["x", [[1n, true]]]];
  const bytes: ValueOf<"ay"> = new Uint8Array(1);
  // @ts-expect-error a 64-bit integer is a bigint
  const wide: ValueOf<"t"> = 1;
  // @ts-expect-error there is no type z
  const unknown: ValueOf<"z"> = 1;
  assert.ok([dictionary, nested, bytes, wide, unknown].every((value) => value !== undefined));
});
