import assert from "node:assert/strict";
import { test } from "node:test";
import { fileNameOf, parseDigest } from "../../../src/image/digest.ts";
import { checkDigest, digestOf } from "../../../src/image/hashing.ts";
import { refusal } from "../../fixtures/refusal.ts";

const EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test("digests are computed, parsed and become file names", () => {
  assert.equal(digestOf(Buffer.alloc(0)), EMPTY);
  assert.deepEqual(parseDigest(EMPTY), { algorithm: "sha256", hex: EMPTY.slice(7) });
  assert.equal(fileNameOf(EMPTY), EMPTY.replace(":", "-"));
  assert.equal(parseDigest(digestOf(Buffer.alloc(0), "sha512")).hex.length, 128);
});

for (const text of [
  "",
  "sha256",
  "sha256:",
  `sha256:${"A".repeat(64)}`,
  `sha256:${"a".repeat(63)}`,
  `sha512:${"a".repeat(64)}`,
  `sha256:../../../etc/${"a".repeat(51)}`,
  `${EMPTY}\n`,
]) {
  test(`${JSON.stringify(text.slice(0, 30))} is no digest`, () => {
    assert.throws(() => parseDigest(text), refusal("BadImage", 1, "digest"));
  });
}

test("an unknown algorithm is well-formed but can't be trusted", () => {
  assert.throws(() => parseDigest(`blake3:${"a".repeat(64)}`), refusal("Unsupported", 1, "blake3:aaaa"));
});

test("checkDigest names the object and both digests", () => {
  checkDigest(Buffer.alloc(0), EMPTY, "manifest");
  const check = () => checkDigest(Buffer.from("x"), EMPTY, "manifest");
  assert.throws(check, refusal("DigestMismatch", 1, "manifest", EMPTY, digestOf(Buffer.from("x"))));
});
