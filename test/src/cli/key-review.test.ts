/** The review of keys: what is shown, and what goes without a question. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { reviewKeys } from "../../../src/cli/key-review.ts";
import { optionValues } from "../../../src/cli/options.ts";
import type { Context } from "../../../src/cli/verb.ts";
import { refusal } from "../../fixtures/refusal.ts";

const ALICE = "0123456789abcdef0123456789abcdef01234567";
const KEY = {
  ...{ kind: "openpgp", fingerprint: ALICE, subkeys: ["f".repeat(40)] },
  ...{ userIds: ["Alice\u001b[31m"], algorithm: "RSA 4096" },
} as const;
const COSIGN = {
  kind: "public-key",
  fingerprint: "a".repeat(64),
  subkeys: [],
  userIds: [],
  algorithm: "EC P-256",
} as const;

function review(keys: readonly object[], given: Readonly<Record<string, string>>) {
  let shown = "";
  const context = { stdinTerminal: false, out: (text: string) => (shown += text), err: () => {} };
  const taken = Object.entries(given).map(([name, value]) => ({
    option: { name, help: "" },
    value,
    next: 0,
  }));
  const file = { location: "/srv/k", keys: keys as never };
  const result = reviewKeys(context as unknown as Context, file, optionValues(taken));
  return { shown, result };
}

test("fingerprints are shown as gpg writes them, and user ids without control characters", () => {
  const { shown, result } = review([KEY, COSIGN], { "skip-fingerprint-review": "" });
  assert.equal(
    shown,
    "gpg key fingerprint is: 0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567\n" +
      "    Subkey fingerprint: FFFF FFFF FFFF FFFF FFFF  FFFF FFFF FFFF FFFF FFFF\n" +
      "\tAlice\\x1b[31m\n" +
      `EC P-256 public key fingerprint is: ${Array(8).fill("AAAA").join(" ")}  ${Array(8).fill("AAAA").join(" ")}\n`,
  );
  assert.deepEqual(result, { fingerprints: [ALICE, "a".repeat(64)], reviewed: false });
});

test("a fingerprint on the command line means that key alone, however it is written", () => {
  const { result } = review([KEY, COSIGN], {
    fingerprint: "0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567",
  });
  assert.deepEqual(result, { fingerprints: [ALICE], reviewed: true });
  assert.throws(
    () => review([KEY], { fingerprint: "a".repeat(64) }),
    refusal("NotTrusted", 5, "/srv/k", "a".repeat(64), ALICE),
  );
  assert.throws(() => review([KEY], { fingerprint: ALICE.slice(0, 8) }), refusal("NotTrusted", 5, ALICE));
});

test("without a terminal nobody is asked, and a key that vouches for nothing is refused", () => {
  assert.throws(() => review([KEY], {}), refusal("Usage", 2, "no terminal to ask at", "--fingerprint=HEX"));
  assert.throws(
    () => review([{ ...KEY, problem: "it has expired" }], { "skip-fingerprint-review": "" }),
    refusal("NotTrusted", 5, ALICE, "it has expired"),
  );
});
