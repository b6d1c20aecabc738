import assert from "node:assert/strict";
import { test } from "node:test";
import { sizeText } from "../../../src/cli/size.ts";

test("sizes have two or three digits", () => {
  const sizes = [0, 1023, 1024, 10 * 1024, 1_982_574, 500 * 1024 ** 2, 5e15].map(sizeText);
  assert.deepEqual(sizes, ["0 B", "1023 B", "1.0 KiB", "10.0 KiB", "1.9 MiB", "500 MiB", "4547 TiB"]);
});
