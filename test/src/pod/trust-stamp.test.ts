/** A pod's trust stamp: what it is made of, and when it holds. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Verdict } from "../../../src/image/record.ts";
import {
  makeTrustStamp,
  readTrustStamp,
  TRUST_STAMP,
  writeTrustStamp,
} from "../../../src/pod/trust-stamp.ts";
import { isGood } from "../../../src/trust/moment.ts";
import { IMAGE_ID, imageRecord } from "../../fixtures/pods.ts";
import { refusal } from "../../fixtures/refusal.ts";

const moment = { generation: "0".repeat(31).concat("1"), since: 1_000 };

function pinned(id: string): { id: string; verdict: Verdict } {
  const always = { reason: "pinned", time: 1, uid: 0, transport: "file", name: "a", reference: "a" } as const;
  return { id, verdict: { kind: "pinned", ...always, rule: { scope: "a" }, consent: false } };
}

function signed(id: string, expires?: number): { id: string; verdict: Verdict } {
  const digest = `sha256:${"1".repeat(64)}`;
  const always = { reason: "signed", time: 1, uid: 0, transport: "appc", name: "a", reference: "a" } as const;
  const witness = {
    signature: { kind: "openpgp", signature: digest },
    fingerprint: "a".repeat(40),
    key: { path: "/etc/gantry/trustedkeys/root.d/a", digest },
    userIds: [],
  } as const;
  const end = expires === undefined ? {} : { expires };
  return {
    id,
    verdict: {
      kind: "signed",
      ...always,
      rule: { scope: "a" },
      witnesses: [{ ...witness, userIds: [] }],
      ...end,
    },
  };
}

test("a stamp names each image once, with the verdict it may run by", () => {
  const record = imageRecord();
  const stamp = makeTrustStamp([record, record, pinned("sha256-b")], moment);
  assert.deepEqual(
    stamp.images.map(({ id, verdict }) => [id, verdict.kind]),
    [
      [IMAGE_ID, "insecure"],
      ["sha256-b", "pinned"],
    ],
  );
  assert.equal("until" in stamp, false);
});

test("a stamp keeps each verdict of an image that two apps have by two names", () => {
  const stamp = makeTrustStamp([pinned("a"), signed("a", 2_000_999_999), pinned("a")], moment);
  assert.deepEqual(
    stamp.images.map(({ id, verdict }) => [id, verdict.kind]),
    [
      ["a", "pinned"],
      ["a", "signed"],
    ],
  );
  assert.equal(stamp.until, 2_000);
});

test("it ends with the first key that expires, not later", () => {
  const stamp = makeTrustStamp([signed("a", 2_000_999_999), signed("b", 3_000_000_000), signed("c")], moment);
  assert.equal(stamp.until, 2_000);
});

test("it holds under the same generation, from its own second until its end", () => {
  const stamp = makeTrustStamp([signed("a", 2_000_000_000)], moment);
  const at = (since: number, generation = moment.generation) => isGood(stamp, { generation, since });
  assert.deepEqual([at(999), at(1_000), at(1_999), at(2_000)], [false, true, true, false]);
  assert.equal(at(1_500, "0".repeat(32)), false);
  assert.equal(isGood(makeTrustStamp([pinned("a")], moment), { ...moment, since: 1e12 }), true);
});

test("it is read back as it was written; a damaged one is StoreCorrupt, none is none", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-stamp-"));
  try {
    assert.equal(await readTrustStamp(directory), undefined);
    const stamp = makeTrustStamp([signed("a", 2_000_000_000), pinned("b")], moment);
    await writeTrustStamp(directory, stamp);
    assert.deepEqual(await readTrustStamp(directory), stamp);
    for (const text of [
      "",
      "{}",
      JSON.stringify({ ...stamp, generation: "x" }),
      JSON.stringify({ ...stamp, more: 1 }),
    ]) {
      writeFileSync(join(directory, TRUST_STAMP), text);
      await assert.rejects(readTrustStamp(directory), refusal("StoreCorrupt", 1, /trust\.json" is damaged/));
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
