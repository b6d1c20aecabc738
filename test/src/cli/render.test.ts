import assert from "node:assert/strict";
import { test } from "node:test";
import { age, table, timestamp } from "../../../src/cli/render.ts";

test("columns are aligned, lines end without blanks, and no cell can forge another line", () => {
  const text = table(
    ["A", "BB", "C"],
    [
      ["ä", "x", ""],
      ["long", "evil\n\u001b[2J", "z"],
    ],
  );
  assert.equal(text, "A     BB               C\nä     x\nlong  evil\\x0a\\x1b[2J  z\n");
});

test("ages in the largest unit that makes sense", () => {
  const now = 10 ** 15;
  const ago = (seconds: number) => age(now - seconds * 1_000_000, now);
  assert.deepEqual(
    [ago(0), ago(1), ago(119), ago(120), ago(7200), ago(172_800), ago(-5), age(undefined, now)],
    [
      "0 seconds ago",
      "1 second ago",
      "119 seconds ago",
      "2 minutes ago",
      "2 hours ago",
      "2 days ago",
      "0 seconds ago",
      "",
    ],
  );
});

test("timestamps are UTC", () => {
  assert.equal(timestamp(1_795_316_993_014_000), "2026-11-22 03:09:53.014 UTC");
});
