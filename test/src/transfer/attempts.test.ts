/** Pauses between attempts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GantryError } from "../../../src/base/errors.ts";
import { pauseAfter, retryAfter, withPause } from "../../../src/transfer/attempts.ts";
import { openClient } from "../../../src/transfer/client.ts";

const NOW = Date.parse("Thu, 26 Nov 2026 12:00:00 GMT");

test("retryAfter: seconds, dates, and nonsense", () => {
  assert.equal(retryAfter("120", NOW), 120_000);
  assert.equal(retryAfter("Thu, 26 Nov 2026 12:00:30 GMT", NOW), 30_000);
  assert.equal(retryAfter("Thu, 26 Nov 2026 11:00:00 GMT", NOW), 0);
  for (const nonsense of [undefined, "", "-1", "soon", "1e999"]) assert.equal(retryAfter(nonsense, NOW), 0);
});

test("pauseAfter: doubles, honours what was asked for, and is capped", () => {
  const client = openClient({ limits: { pause: 100, longestPause: 1000 } });
  const busy = (headers: Record<string, string>) =>
    withPause(new GantryError("FetchFailed", "busy"), { status: 429, headers });
  assert.deepEqual(
    [1, 2, 3, 9].map((count) => pauseAfter(busy({}), count, client)),
    [100, 200, 400, 1000],
  );
  assert.equal(pauseAfter(busy({ "retry-after": "1" }), 1, client), 1000);
  assert.equal(pauseAfter(busy({ "retry-after": "9999999999" }), 1, client), 1000);
});

test("pauseAfter: what won't pass is not tried again", () => {
  const client = openClient();
  const found = withPause(new GantryError("NoSuchImage", "gone"), {
    status: 404,
    headers: { "retry-after": "1" },
  });
  assert.equal(pauseAfter(found, 1, client), undefined);
  assert.equal(pauseAfter(new GantryError("BadImage", "wrong"), 1, client), undefined);
  assert.equal(pauseAfter(new Error("a fault of ours"), 1, client), undefined);
  assert.notEqual(pauseAfter(new GantryError("TimedOut", "late"), 1, client), undefined);
});
