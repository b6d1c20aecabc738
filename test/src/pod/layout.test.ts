/** Documents of pods: read anew when they have changed, however they have, and not when they have not. */
import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { GantryError } from "../../../src/base/errors.ts";
import { readDocument } from "../../../src/pod/layout.ts";

const Count = z.strictObject({ count: z.int() });

test("documents: what is on disk now is what is read", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-documents-"));
  const path = join(directory, "document");
  const replace = (text: string) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  try {
    assert.equal(await readDocument(path, Count), undefined);
    for (const count of [1, 2, 3]) {
      replace(JSON.stringify({ count }));
      const first = await readDocument(path, Count);
      assert.deepEqual(first, { count });
      assert.equal(await readDocument(path, Count), first, "unchanged, it is not read again");
    }
    writeFileSync(path, "{}");
    const damaged = (error: unknown) => error instanceof GantryError && error.kind === "StoreCorrupt";
    await assert.rejects(readDocument(path, Count), damaged);
    await assert.rejects(readDocument(path, Count), damaged);
    rmSync(path);
    assert.equal(await readDocument(path, Count), undefined);
    replace('{"count":3}');
    assert.deepEqual(await readDocument(path, Count), { count: 3 });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
