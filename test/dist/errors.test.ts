/** docs/errors.md against the error table, both ways. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { busName, ERROR_KINDS, type ErrorKind } from "../../src/base/errors.ts";

const ROW = /^\| `(\w+)` \| (\d+) \| (yes|no) \| [^|]+ \|$/gm;

test("errors: docs/errors.md lists every kind with its exit status, and no other", async () => {
  const text = await readFile("docs/errors.md", "utf8");
  const documented = [...text.matchAll(ROW)].map(
    ([, kind, exit, retryable]) => `${kind} ${exit} ${retryable}`,
  );
  const kinds = Object.entries(ERROR_KINDS).map(
    ([kind, face]) => `${kind} ${face.exit} ${face.retryable ? "yes" : "no"}`,
  );
  assert.deepEqual(documented.sort(), kinds.sort());
});

test("errors: every kind has a bus name that D-Bus accepts", () => {
  for (const kind of Object.keys(ERROR_KINDS)) {
    assert.match(busName(kind as ErrorKind), /^org\.gantry1\.Error\.[A-Za-z]+$/);
  }
});
