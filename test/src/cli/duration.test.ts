import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "../../../src/cli/duration.ts";

test("durations in milliseconds", () => {
  const cases: Record<string, number | undefined> = {
    "30": 30_000,
    "0": 0,
    "1.5": 1500,
    "500ms": 500,
    "30s": 30_000,
    "1h30m": 5_400_000,
    "2d": 172_800_000,
    "": undefined,
    "5 s": undefined,
    "-1s": undefined,
    s: undefined,
    "1y": undefined,
    "1.2345s": undefined,
  };
  for (const [text, value] of Object.entries(cases)) assert.equal(parseDuration(text), value, text);
});
