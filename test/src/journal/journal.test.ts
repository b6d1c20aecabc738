import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { logEvent } from "../../../src/journal/journal.ts";

test("without a journal an event is dropped in silence", {
  skip: existsSync("/run/systemd/journal/socket") && "this machine has a journal",
}, async () => {
  assert.equal(await logEvent("image-imported", "x", { GANTRY_IMAGE: "x" }), undefined);
});
