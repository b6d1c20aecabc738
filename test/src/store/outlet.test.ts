/** Exports into directories of others: no link is written through, and nothing that was there is lost. */
import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { makeOutput, writeOutput } from "../../../src/store/outlet.ts";
import { refusal } from "../../fixtures/refusal.ts";

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-outlet-"));
  try {
    await body(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("a temporary file that somebody replaces by a link does not lead the writer elsewhere", async () => {
  await inDirectory(async (directory) => {
    const victim = join(directory, "victim");
    writeFileSync(victim, "secret");
    await writeOutput(join(directory, "out"), { overwrite: false }, async (output) => {
      const temporary = readdirSync(directory).find((name) => name.startsWith(".out.")) ?? "";
      unlinkSync(join(directory, temporary));
      symlinkSync(victim, join(directory, temporary));
      await pipeline(Readable.from(["new content"]), output);
    });
    assert.equal(readFileSync(victim, "utf8"), "secret");
  });
});

test("a file is whole, and a failure leaves nothing", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "out");
    await writeOutput(path, { overwrite: false }, (output) => pipeline(Readable.from(["a", "b"]), output));
    assert.equal(readFileSync(path, "utf8"), "ab");
    const broken = Readable.from(
      (function* () {
        yield "c";
        throw new Error("it broke");
      })(),
    );
    const failing = writeOutput(path, { overwrite: true }, (output) => pipeline(broken, output));
    await assert.rejects(failing, /it broke/);
    assert.deepEqual([readdirSync(directory), readFileSync(path, "utf8")], [["out"], "ab"]);
  });
});

test("a directory that cannot be replaced is what it was", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "out");
    mkdirSync(path);
    writeFileSync(join(path, "mine"), "");
    const nothing = makeOutput(path, { overwrite: true }, async (scratch) => join(scratch, "none"));
    await assert.rejects(nothing, /ENOENT/);
    assert.deepEqual([readdirSync(directory), readdirSync(path)], [["out"], ["mine"]]);
  });
});

test("an output whose directory is missing is refused before anything is made", async () => {
  const refused = refusal("AccessDenied", 6, '"/no/where"');
  await assert.rejects(
    writeOutput("/no/where/x", { overwrite: false }, async () => assert.fail("it was made")),
    refused,
  );
  await assert.rejects(
    makeOutput("/no/where/x", { overwrite: false }, async () => assert.fail("it was made")),
    refused,
  );
});
