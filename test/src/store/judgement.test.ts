/** Judgements that are kept: good for one record, in one state of trust, and for as long as its keys are. */
import assert from "node:assert/strict";
import { existsSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Verdict } from "../../../src/image/record.ts";
import {
  judgementPath,
  keepJudgement,
  lastJudgement,
  removeJudgements,
} from "../../../src/store/judgement.ts";
import { openStore } from "../../../src/store/store.ts";
import { IMAGE_ID, imageRecord, podStore } from "../../fixtures/pods.ts";

const always = {
  time: 7,
  uid: 0,
  transport: "file",
  name: "a",
  reference: "a",
  rule: { scope: "a" },
} as const;
const PINNED: Verdict = { kind: "pinned", reason: "pinned", ...always, consent: false };
const moment = { generation: "1".repeat(32), since: 1000 };

test("a judgement is found again in the same state of trust, and in no other", async () => {
  using pods = podStore();
  const store = await openStore(pods.paths.data);
  const record = imageRecord({}, { verdict: PINNED });
  assert.equal(await lastJudgement(store, record, moment), undefined);
  const verdict = { ...PINNED, reason: "judged again" };
  await keepJudgement(store, { record, verdict, moment });
  assert.deepEqual(await lastJudgement(store, record, { ...moment, since: 2000 }), verdict);
  assert.equal(await lastJudgement(store, record, { ...moment, generation: "2".repeat(32) }), undefined);
  assert.equal(
    await lastJudgement(store, record, { ...moment, since: 999 }),
    undefined,
    "the clock was set back",
  );
  const imported = imageRecord({}, { verdict: { ...PINNED, time: 8 } });
  assert.equal(await lastJudgement(store, imported, moment), undefined, "imported anew since");
  const other = imageRecord({}, { verdict: { ...PINNED, name: "b", reference: "b" } });
  assert.equal(await lastJudgement(store, other, moment), undefined, "by another name");
});

test("of two names that begin alike none has the other's judgement", async () => {
  using pods = podStore();
  const store = await openStore(pods.paths.data);
  const named = (name: string) => imageRecord({}, { verdict: { ...PINNED, name, reference: name } });
  const [one, two] = [named(`${"a/".repeat(100)}1`), named(`${"a/".repeat(100)}2`)];
  await keepJudgement(store, { record: one, verdict: one.verdict, moment });
  assert.deepEqual(await lastJudgement(store, one, moment), one.verdict);
  assert.equal(await lastJudgement(store, two, moment), undefined);
});

test("a damaged judgement is none, and one of an image that is gone is removed", async () => {
  using pods = podStore();
  const store = await openStore(pods.paths.data);
  const record = imageRecord({}, { verdict: PINNED });
  await keepJudgement(store, { record, verdict: PINNED, moment });
  const path = judgementPath(store, record);
  await removeJudgements(store, (id) => id !== IMAGE_ID);
  assert.ok(existsSync(path));
  for (const text of ["", "{}", "null", '{"version":1}']) {
    writeFileSync(path, text);
    assert.equal(await lastJudgement(store, record, moment), undefined, text);
  }
  truncateSync(path, 1024 * 1024 + 1);
  assert.equal(await lastJudgement(store, record, moment), undefined, "too large");
  await removeJudgements(store, (id) => id === IMAGE_ID);
  assert.ok(!existsSync(path));
  const reason = "x".repeat(1024 * 1024);
  await keepJudgement(store, { record, verdict: { ...PINNED, reason }, moment });
  assert.ok(!existsSync(path), "nobody would read it");
});
