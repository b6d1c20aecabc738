import assert from "node:assert/strict";
import { test } from "node:test";
import { SIGNATURE_LIMIT, Signature, signatureBlob } from "../../../src/image/signature.ts";
import { Verdict } from "../../../src/image/verdict.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const SUBJECT = {
  reason: "r",
  time: 1,
  uid: 0,
  transport: "registry",
  name: "registry.example/app",
  reference: "registry.example/app:1",
  rule: { scope: "registry.example" },
};

test("verdicts that earlier versions wrote are still read", () => {
  const old = { kind: "insecure", reason: "unsigned, accepted by --insecure-options=image", time: 1, uid: 0 };
  assert.deepEqual(Verdict.parse(old), old);
});

test("each kind of verdict carries what it takes to judge again, and nothing unknown", () => {
  const witness = {
    signature: { kind: "simple-signing", signature: DIGEST },
    fingerprint: "0".repeat(40),
    key: { path: "/etc/gantry/trustedkeys/root.d/x", digest: DIGEST },
    userIds: [],
  };
  assert.equal(Verdict.parse({ ...SUBJECT, kind: "signed", witnesses: [witness] }).kind, "signed");
  assert.equal(Verdict.parse({ ...SUBJECT, kind: "pinned", consent: false }).kind, "pinned");
  assert.equal(Verdict.parse({ ...SUBJECT, kind: "unsigned" }).kind, "unsigned");
  for (const wrong of [
    { kind: "signed", witnesses: [] },
    { kind: "signed" },
    { kind: "unsigned", extra: 1 },
    { kind: "trusted" },
  ]) {
    assert.equal(Verdict.safeParse({ ...SUBJECT, ...wrong }).success, false, JSON.stringify(wrong));
  }
});

test("a signature names the blob that holds it and how large that may be", () => {
  const limits = { openpgp: SIGNATURE_LIMIT, "simple-signing": SIGNATURE_LIMIT } as const;
  for (const kind of ["openpgp", "simple-signing"] as const) {
    assert.deepEqual(signatureBlob({ kind, signature: DIGEST }), { digest: DIGEST, limit: limits[kind] });
  }
  assert.equal(signatureBlob({ kind: "cosign", payload: DIGEST, signature: "AA==" }).digest, DIGEST);
  assert.equal(signatureBlob({ kind: "sigstore-bundle", bundle: DIGEST }).digest, DIGEST);
  for (const wrong of [
    { kind: "openpgp", signature: "sha256:../../etc/shadow" },
    { kind: "cosign", payload: DIGEST, signature: "not base64!" },
    { kind: "jws", signature: DIGEST },
  ]) {
    assert.equal(Signature.safeParse(wrong).success, false, JSON.stringify(wrong));
  }
});
