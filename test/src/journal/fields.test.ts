import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENTS } from "../../../src/journal/events.ts";
import { entryOf } from "../../../src/journal/fields.ts";

test("only known keys reach the journal, and no NUL", () => {
  const entry = entryOf({
    level: 30,
    msg: "a\0b\nc",
    GANTRY_POD: "web\0heap",
    MESSAGE_ID: "1",
    "X\nY": "injected",
    PRIORITY: "0",
    hostname: "h",
  });
  assert.deepEqual(entry, {
    level: "info",
    message: "ab\nc",
    fields: { SYSLOG_IDENTIFIER: "gantry", GANTRY_POD: "webheap", MESSAGE_ID: "1" },
  });
});

test("pino's levels are the journal's priorities", () => {
  const levels = [10, 20, 30, 40, 50, 60].map((level) => entryOf({ level, msg: "" }).level);
  assert.deepEqual(levels, ["debug", "debug", "info", "warning", "err", "err"]);
});

test("every event has a MESSAGE_ID of its own", () => {
  const ids = Object.values(EVENTS).map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
});
