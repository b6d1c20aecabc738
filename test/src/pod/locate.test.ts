import assert from "node:assert/strict";
import { test } from "node:test";
import { lineAt, lineOfPath } from "../../../src/pod/locate.ts";

const TEXT = `{
  "a": [1, { "b": "}]," ,
    "c": {} }],
  "d\\"e": [
    [], [ 2 ],
    "x"
  ]
}`;

test("a path leads to the line of its value", () => {
  assert.equal(lineOfPath(TEXT, []), 1);
  assert.equal(lineOfPath(TEXT, ["a", 1, "b"]), 2);
  assert.equal(lineOfPath(TEXT, ["a", 1, "c"]), 3);
  assert.equal(lineOfPath(TEXT, ['d"e', 1, 0]), 5);
  assert.equal(lineOfPath(TEXT, ['d"e', 2]), 6);
});

test("what is missing is where its parent is", () => {
  assert.equal(lineOfPath(TEXT, ["a", 1, "nothing", "below"]), 2);
  assert.equal(lineOfPath(TEXT, ["a", 7]), 2);
});

test("lines count from one", () => {
  assert.equal(lineAt("ab\ncd", 0), 1);
  assert.equal(lineAt("ab\ncd", 3), 2);
});
