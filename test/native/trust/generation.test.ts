/** Both languages find the same generation for the same tree, names that are no text included. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readGeneration } from "../../../src/trust/generation.ts";

const PROGRAM = new URL("../../../build/native/trust/test-trust", import.meta.url).pathname;

function nativeGeneration(root: string): string {
  return execFileSync(PROGRAM, ["--of", root]).toString().trim();
}

test("C and TypeScript compute the same generation", () => {
  const root = mkdtempSync(join(tmpdir(), "gantry-generation-"));
  try {
    assert.equal(nativeGeneration(root), readGeneration(root));
    const directory = join(root, "etc/gantry/trustedkeys/prefix.d/example.com");
    mkdirSync(directory, { recursive: true });
    // By bytes "Z" < "a" < "é", whatever the locale; the last is no UTF-8.
    for (const name of ["a", "Z", "é", "a b\n", ".hidden"]) writeFileSync(join(directory, name), name);
    writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0xfe])]), "");
    utimesSync(join(directory, "a"), -1.5, -1.5);
    mkdirSync(join(root, "usr/lib/gantry"), { recursive: true });
    symlinkSync(join(root, "etc/gantry/trustedkeys"), join(root, "usr/lib/gantry/trustedkeys"));
    symlinkSync("nowhere", join(directory, "link"));
    const generation = nativeGeneration(root);
    assert.match(generation, /^[0-9a-f]{32}$/);
    assert.equal(generation, readGeneration(root));
    assert.notEqual(generation, nativeGeneration(join(root, "empty")));
  } finally {
    rmSync(root, { recursive: true });
  }
});
