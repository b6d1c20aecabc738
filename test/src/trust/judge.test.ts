/** Judging with the real verifier: which rule, which keys, which verdict, and the same again later. */
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Verdict } from "../../../src/image/verdict.ts";
import { judgeBy, rejudge } from "../../../src/trust/judge.ts";
import { type Keyring, newKeyring } from "../../fixtures/gpg.ts";
import { digestOf } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { DIGEST, judgeRequest, type Made, newTrust, payload, type TestTrust } from "../../fixtures/trust.ts";

const ring: Keyring = newKeyring();
after(() => ring[Symbol.dispose]());
const alice = ring.generate("Alice <alice@example.com>");
const bob = ring.generate("Bob <bob@example.com>");
const NAME = "registry.example/app";
const ACI = Buffer.from("the bytes of an ACI as they were served");

function inline(keys: readonly string[], reference = `${NAME}:1`, digest = DIGEST): Made {
  const blob = ring.sign(payload("atomic", digest, reference), { keys, form: "inline" });
  return { signature: { kind: "simple-signing", signature: digestOf(blob) }, blob };
}

function detached(keys: readonly string[], content = ACI): Made {
  const blob = ring.sign(content, { keys });
  return { signature: { kind: "openpgp", signature: digestOf(blob) }, blob };
}

function cosign(key: KeyObject, reference = NAME, change: object = {}): Made {
  const blob = payload("cosign", DIGEST, reference, change);
  const signature = sign("sha256", blob, key).toString("base64");
  return { signature: { kind: "cosign", payload: digestOf(blob), signature }, blob };
}

/** An ACI on disk and what is said of it. */
function aci(trust: TestTrust, name = "example.com/app") {
  const path = join(trust.directory, "app.aci");
  writeFileSync(path, ACI);
  return {
    transport: "appc" as const,
    name,
    reference: `${name}:1.0`,
    digest: `sha512:${"e".repeat(128)}`,
    archive: { path, digest: digestOf(ACI) },
  };
}

function trustKey(trust: TestTrust, place: string, fingerprint = alice): string {
  return trust.put("etc", `trustedkeys/${place}/${fingerprint}`, ring.export(fingerprint));
}

function rule(trust: TestTrust, requirements: readonly object[], more: object = {}): string {
  return trust.put("etc", "trust.d/50-test.json", {
    version: 1,
    rules: [{ scope: NAME, requirements, ...more }],
  });
}

test("no rule and no key: refused, with the commands that would allow it", async () => {
  using trust = newTrust();
  const hints = [
    `gantry trust add --prefix=${NAME} KEYFILE`,
    `gantry trust add --digest=${DIGEST} ${NAME}`,
    `gantry fetch --insecure-options=image docker://${NAME}:1`,
  ];
  await assert.rejects(trust.judge({}, []), refusal("NotTrusted", 5, `"${NAME}:1"`, ...hints));
  // A signature nobody has vouched for makes no difference.
  await assert.rejects(
    trust.judge({}, [inline([alice])]),
    refusal("NotTrusted", 5, "no rule and no key", ...hints),
  );
});

test("a name that only the image says of itself is proved by signatures and digests, and now as at import", async () => {
  using trust = newTrust();
  const subject = { ...aci(trust, NAME), claimed: true as const };
  rule(trust, [{ kind: "unsigned" }]);
  const refused = refusal("NotTrusted", 5, `"${NAME}:1.0"`, "a URL proves no name");
  await assert.rejects(trust.judge(subject, []), refused);
  rule(trust, [{ kind: "digests", digests: [subject.digest] }]);
  const { verdict } = await trust.judge(subject, []);
  assert.equal(verdict.kind, "pinned");
  rule(trust, [{ kind: "unsigned" }]);
  const record = { kind: "appc" as const, digest: subject.digest, verdict };
  const { blob, source, insecureOptions } = judgeRequest(subject, []);
  await assert.rejects(rejudge(trust, { record, blob, source, insecureOptions }), refused);
});

test("the operator's bypass is recorded as such, whatever the policy says", async () => {
  using trust = newTrust();
  rule(trust, [{ kind: "reject" }]);
  const { verdict, evidence } = await trust.judge({}, [inline([alice])], {
    insecureOptions: ["image"],
    uid: 1000,
  });
  assert.deepEqual([verdict.kind, verdict.uid, evidence.size], ["insecure", 1000, 0]);
});

test("a key of the keystore vouches for its prefix, in whole segments, and for no other name", async () => {
  using trust = newTrust();
  trustKey(trust, "prefix.d/example.com/foo");
  for (const name of ["example.com/foo", "example.com/foo/bar", "Example.com/Foo/Bar"]) {
    const { verdict, evidence } = await trust.judge(aci(trust, name), [detached([alice])]);
    assert.ok(verdict.kind === "signed");
    assert.equal(verdict.name, name.toLowerCase());
    assert.deepEqual(
      verdict.witnesses.map(({ fingerprint, userIds, key }) => [
        fingerprint,
        userIds,
        key.path.endsWith(alice),
      ]),
      [[alice, ["Alice <alice@example.com>"], true]],
    );
    assert.equal(evidence.size, 1);
  }
  for (const name of ["example.com/foobar", "example.com", "example.org/foo"]) {
    const judged = trust.judge(aci(trust, name), [detached([alice])]);
    await assert.rejects(judged, refusal("NotTrusted", 5, `"${name}:1.0"`, "no rule and no key"));
  }
});

test("an empty file masks a vendor's key, at the root and for a prefix", async () => {
  using trust = newTrust();
  trust.put("lib", `trustedkeys/root.d/${alice}`, ring.export(alice));
  trust.put("lib", `trustedkeys/prefix.d/example.com/${bob}`, ring.export(bob));
  await trust.judge(aci(trust), [detached([alice])]);
  await trust.judge(aci(trust), [detached([bob])]);
  trust.put("etc", `trustedkeys/prefix.d/example.com/${bob}`, "");
  await assert.rejects(
    trust.judge(aci(trust), [detached([bob])]),
    refusal("NotTrusted", 5, "example.com/app"),
  );
  // For this prefix only.
  trust.put("run", `trustedkeys/prefix.d/example.com/app/${alice}`, "");
  await assert.rejects(
    trust.judge(aci(trust), [detached([alice])]),
    refusal("NotTrusted", 5, "example.com/app"),
  );
  await trust.judge(aci(trust, "example.com/other"), [detached([alice])]);
});

test("a key file must be named by its fingerprint, hold a key, and be a file", async () => {
  using trust = newTrust();
  const path = trust.put("etc", `trustedkeys/root.d/${bob}`, ring.export(alice));
  await assert.rejects(trust.judge(aci(trust), [detached([alice])]), refusal("BadConfig", 1, path, alice));
  const garbage = trust.put("etc", `trustedkeys/root.d/${bob}`, "no key");
  await assert.rejects(trust.judge(aci(trust), [detached([alice])]), refusal("BadConfig", 1, garbage));
  rmSync(garbage);
  trust.link("etc", `trustedkeys/root.d/${alice}`, "/etc/hostname");
  await assert.rejects(trust.judge(aci(trust), []), refusal("BadConfig", 1, alice, "symbolic link"));
  using named = newTrust();
  named.put("etc", "trustedkeys/root.d/alice.asc", ring.export(alice));
  await assert.rejects(named.judge(aci(named), []), refusal("BadConfig", 1, "alice.asc", "fingerprint"));
  using large = newTrust();
  const five = large.put("etc", `trustedkeys/root.d/${alice}`, Buffer.alloc(5_000_000, "A"));
  await assert.rejects(large.judge(aci(large), []), refusal("BadConfig", 1, five, "limit is 1048576"));
});

test("every key of a file counts, not only the first", async () => {
  using trust = newTrust();
  trust.put("etc", `trustedkeys/root.d/${alice}`, Buffer.concat([ring.export(alice), ring.export(bob)]));
  const { verdict } = await trust.judge(aci(trust), [detached([bob])]);
  assert.equal(verdict.kind === "signed" && verdict.witnesses[0]?.fingerprint, bob);
});

test("one good signature suffices; of the others it is told why not when there is none", async () => {
  using trust = newTrust();
  trustKey(trust, "root.d");
  const tampered = detached([alice], Buffer.from("other bytes"));
  await trust.judge(aci(trust), [tampered, detached([bob]), detached([alice])]);
  await assert.rejects(
    trust.judge(aci(trust), [tampered, detached([bob])]),
    refusal(
      "NotTrusted",
      5,
      '"example.com/app:1.0"',
      "digest did not match",
      "is not among those trusted for this name",
    ),
  );
  await assert.rejects(trust.judge(aci(trust), []), refusal("NotTrusted", 5, "carries no openpgp signature"));
});

test("bytes that are not those whose digest was told are no image", async () => {
  using trust = newTrust();
  trustKey(trust, "root.d");
  const subject = { ...aci(trust), archive: { path: join(trust.directory, "app.aci"), digest: DIGEST } };
  await assert.rejects(
    trust.judge(subject, [detached([alice])]),
    refusal("DigestMismatch", 1, "app.aci", DIGEST),
  );
});

test("simple signing: the name inside must be the one asked for, as the rule's identity says", async () => {
  using trust = newTrust();
  trust.put("etc", "trustedkeys/named.d/alice.asc", ring.export(alice));
  const openpgp = (identity?: object) => [
    { kind: "openpgp", keys: ["alice.asc"], ...(identity && { identity }) },
  ];
  const asked = { reference: `${NAME}:1` };
  const byDigest = { reference: `${NAME}@${DIGEST}` };
  const other = "mirror.example/upstream/app:1";
  const good: readonly [identity: object | undefined, subject: object, signed: string][] = [
    [undefined, asked, `${NAME}:1`],
    [undefined, byDigest, `${NAME}:7`],
    [{ type: "matchExact" }, asked, `${NAME}:1`],
    [{ type: "matchRepository" }, asked, `${NAME}:7`],
    [{ type: "exactReference", reference: other }, asked, other],
    [{ type: "exactRepository", repository: "mirror.example/upstream/app" }, asked, other],
    [
      { type: "remapIdentity", prefix: "registry.example", signedPrefix: "mirror.example/upstream" },
      asked,
      other,
    ],
  ];
  for (const [identity, subject, signed] of good) {
    rule(trust, openpgp(identity));
    const { verdict } = await trust.judge(subject, [inline([alice], signed)]);
    assert.equal(
      verdict.kind === "signed" && verdict.witnesses[0]?.identity,
      signed,
      JSON.stringify(identity),
    );
  }
  const bad: readonly [identity: object | undefined, subject: object, signed: string][] = [
    [undefined, asked, `${NAME}:2`],
    [undefined, asked, NAME],
    [undefined, asked, `${NAME}bar:1`],
    [undefined, byDigest, "registry.example/other:1"],
    [{ type: "matchExact" }, byDigest, `${NAME}:1`],
    [{ type: "matchRepository" }, asked, `${NAME}/sub:1`],
    [{ type: "exactReference", reference: other }, asked, `${NAME}:1`],
    [
      { type: "remapIdentity", prefix: "registry.exam", signedPrefix: "mirror.example" },
      asked,
      "mirror.exampleple/app:1",
    ],
  ];
  for (const [identity, subject, signed] of bad) {
    rule(trust, openpgp(identity));
    const judged = trust.judge(subject, [inline([alice], signed)]);
    await assert.rejects(
      judged,
      refusal("NotTrusted", 5, NAME, `it is for ${signed}`),
      JSON.stringify(identity),
    );
  }
  rule(trust, openpgp());
  const wrong = inline([alice], `${NAME}:1`, `sha256:${"0".repeat(64)}`);
  await assert.rejects(
    trust.judge({}, [wrong]),
    refusal("NotTrusted", 5, NAME, "it is for sha256:000", DIGEST),
  );
});

test("cosign: repository, annotations and the keys the rule names", async () => {
  using trust = newTrust();
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const other = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  trust.put("etc", "trustedkeys/named.d/release.pem", publicKey.export({ type: "spki", format: "pem" }));
  rule(trust, [{ kind: "cosign", keys: ["release.pem"], annotations: { stage: "production" } }]);
  const stage = (value: string) => ({ optional: { stage: value } });
  const { verdict, evidence } = await trust.judge({}, [cosign(privateKey, NAME, stage("production"))]);
  assert.equal(verdict.kind === "signed" && verdict.witnesses[0]?.key.path.endsWith("release.pem"), true);
  assert.equal(evidence.size, 1);
  const refused = async (made: Made, text: string) =>
    assert.rejects(trust.judge({}, [made]), refusal("NotTrusted", 5, NAME, text));
  await refused(cosign(privateKey, NAME, stage("test")), "annotation stage is not production");
  await refused(cosign(privateKey), "annotation stage is not production");
  await refused(
    cosign(privateKey, "registry.example/other", stage("production")),
    "it is for registry.example/other",
  );
  await refused(cosign(other.privateKey, NAME, stage("production")), "none of the keys");
  rule(trust, [{ kind: "cosign", keys: ["missing.pem"] }]);
  await assert.rejects(trust.judge({}, []), refusal("BadConfig", 1, "50-test.json", "missing.pem"));
});

test("pinned digests, unsigned images, rejection and alternatives, each as the rule says", async () => {
  using trust = newTrust();
  const pin = { kind: "digests", digests: [DIGEST] };
  const kindOf = async (subject: object = {}) => (await trust.judge(subject, [])).verdict.kind;
  rule(trust, [pin]);
  assert.equal(await kindOf(), "pinned");
  const moved = `sha256:${"0".repeat(64)}`;
  await assert.rejects(kindOf({ digest: moved }), refusal("NotTrusted", 5, moved, "50-test.json"));
  rule(trust, [{ kind: "unsigned" }]);
  assert.equal(await kindOf(), "unsigned");
  // A file that only says it is that image.
  await assert.rejects(kindOf({ transport: "file" }), refusal("NotTrusted", 5, "a file proves no name"));
  rule(trust, [{ kind: "unsigned" }], { transport: "file" });
  assert.equal(await kindOf({ transport: "file" }), "unsigned");
  rule(trust, [{ kind: "reject" }]);
  await assert.rejects(kindOf(), refusal("NotTrusted", 5, NAME, "rejects", "50-test.json"));
  trustKey(trust, "root.d");
  rule(trust, [{ kind: "any", of: [pin, { kind: "openpgp" }] }]);
  assert.equal(await kindOf(), "pinned");
  assert.equal(
    (await trust.judge({ digest: moved }, [inline([alice], `${NAME}:1`, moved)])).verdict.kind,
    "signed",
  );
  await assert.rejects(
    kindOf({ digest: moved }),
    refusal("NotTrusted", 5, "not among those pinned", "no openpgp"),
  );
  // All requirements of a rule, not one of them.
  rule(trust, [pin, { kind: "openpgp" }]);
  await assert.rejects(kindOf(), refusal("NotTrusted", 5, "no openpgp signature"));
});

test("a first use takes an explicit consent to the digest, and only where rules leave it to that", async () => {
  using trust = newTrust();
  const consent = { name: NAME, digest: DIGEST, time: 1_700_000_000_000_000, uid: 1000 };
  trust.put("etc", "trust.d/90-consents.json", { version: 1, consents: [consent] });
  const { verdict } = await trust.judge({}, []);
  assert.deepEqual([verdict.kind, verdict.kind === "pinned" && verdict.consent], ["pinned", true]);
  assert.match(verdict.reason, /allowed by the consent of user 1000, 2023-11-14/);
  await assert.rejects(
    trust.judge({ digest: `sha256:${"0".repeat(64)}` }, []),
    refusal("NotTrusted", 5, NAME),
  );
  await assert.rejects(trust.judge({ name: `${NAME}/sub` }, []), refusal("NotTrusted", 5, `${NAME}/sub`));
  rule(trust, [{ kind: "openpgp" }]);
  await assert.rejects(trust.judge({}, []), refusal("NotTrusted", 5, "no openpgp signature"));
  rule(trust, [{ kind: "openpgp" }], { firstUse: true });
  assert.equal((await trust.judge({}, [])).verdict.kind, "pinned");
});

test("signatures beyond measure are refused, and large ones count as none", async () => {
  using trust = newTrust();
  trustKey(trust, "root.d");
  const good = inline([alice]);
  const many = Array.from({ length: 33 }, () => good);
  await assert.rejects(
    trust.judge({}, many),
    refusal("NotTrusted", 5, NAME, "33 signatures, the limit is 32"),
  );
  const huge: Made = { signature: { kind: "simple-signing", signature: DIGEST }, blob: Buffer.alloc(0) };
  await assert.rejects(
    trust.judge({}, [huge]),
    refusal("NotTrusted", 5, NAME, "signature should have digest"),
  );
  await trust.judge({}, [huge, good]);
});

/** Judges the image of `verdict` again, with the blobs of `made`. */
async function again(
  trust: TestTrust,
  verdict: Verdict,
  made: readonly Made[],
  digest = DIGEST,
): Promise<Verdict> {
  const { blob, source } = judgeRequest({}, made);
  return await rejudge(trust, {
    record: { kind: "oci", digest, verdict },
    blob,
    source,
    insecureOptions: [],
  });
}

test("an image in the store is judged by the keys and rules of now", async () => {
  using trust = newTrust();
  const key = trustKey(trust, "root.d");
  const made = [inline([alice])];
  const { verdict } = await trust.judge({}, made);
  assert.equal((await again(trust, verdict, made)).kind, "signed");
  rule(trust, [{ kind: "cosign" }]);
  await assert.rejects(
    again(trust, verdict, made),
    refusal("NotTrusted", 5, NAME, "no cosign signature", "50-test.json"),
  );
  rule(trust, [{ kind: "reject" }]);
  await assert.rejects(again(trust, verdict, made), refusal("NotTrusted", 5, NAME, "rejects"));
  rule(trust, [{ kind: "unsigned" }]);
  assert.equal((await again(trust, verdict, made)).kind, "unsigned");
  rmSync(join(trust.directory, "etc/trust.d/50-test.json"));
  rmSync(key);
  await assert.rejects(again(trust, verdict, made), refusal("NotTrusted", 5, NAME, "no rule and no key"));
});

test("evidence that was changed, or is of another image, does not help a record", async () => {
  using trust = newTrust();
  trustKey(trust, "root.d");
  const made = [inline([alice])];
  const { verdict } = await trust.judge({}, made);
  await assert.rejects(again(trust, verdict, []), refusal("NotTrusted", 5, NAME, "should have digest"));
  const other = `sha256:${"0".repeat(64)}`;
  await assert.rejects(
    again(trust, verdict, made, other),
    refusal("NotTrusted", 5, NAME, `not for ${other}`),
  );
});

test("a detached signature's key, dates and strength are checked again without its bytes", async () => {
  using trust = newTrust();
  const mallory = ring.generate("Mallory <mallory@example.com>");
  const key = trustKey(trust, "root.d", mallory);
  const made = [detached([mallory])];
  const subject = aci(trust);
  const { verdict } = await trust.judge(subject, made);
  rmSync(subject.archive.path);
  assert.equal((await again(trust, verdict, made, subject.digest)).kind, "signed");
  // Another key's signature of whatever bytes was never found good.
  const forged = detached([bob], Buffer.from("x"));
  trustKey(trust, "root.d", bob);
  assert.ok(verdict.kind === "signed");
  const witnesses = verdict.witnesses.map((witness) => ({ ...witness, signature: forged.signature }));
  await assert.rejects(
    again(trust, { ...verdict, witnesses }, [forged], subject.digest),
    refusal("NotTrusted", 5, "example.com/app"),
  );
  ring.revoke(mallory);
  writeFileSync(key, ring.export(mallory));
  await assert.rejects(
    again(trust, verdict, made, subject.digest),
    refusal("NotTrusted", 5, "example.com/app", mallory, "revoked"),
  );
});

test("what was accepted insecurely is never trusted by lying in the store", async () => {
  using trust = newTrust();
  trustKey(trust, "root.d");
  const { verdict } = await trust.judge({}, [], { insecureOptions: ["image"] });
  await assert.rejects(again(trust, verdict, []), refusal("NotTrusted", 5, NAME, "--insecure-options=image"));
});

test("a verifier that lies about its request is not believed", async () => {
  using trust = newTrust();
  trustKey(trust, "root.d");
  const answers: readonly (object | string)[] = [
    "",
    "{}",
    { version: 1, verb: "verify", keys: [], signatures: [] },
    {
      version: 1,
      verb: "verify",
      keys: [[alice]],
      signatures: [{ signers: [{ key: 7, fingerprint: alice, userIds: [] }], problems: [] }],
    },
    {
      version: 1,
      verb: "verify",
      keys: [[alice]],
      signatures: [{ signers: [{ key: 0, fingerprint: "../x", userIds: [] }], problems: [] }],
    },
    {
      version: 1,
      verb: "verify",
      archive: DIGEST,
      keys: [[alice]],
      signatures: [{ signers: [], problems: [] }],
    },
    { version: 1, verb: "keys", keys: [] },
    `{"version":1,"verb":"verify","keys":[["${alice}"]],"signatures":[{"signers":[],"problems":["${"x".repeat(501)}"]}]}`,
  ];
  const request = judgeRequest({}, [inline([alice])]);
  for (const answer of answers) {
    const bytes = Buffer.from(typeof answer === "string" ? answer : JSON.stringify(answer));
    const lying = { roots: trust.roots, verifier: async () => bytes };
    await assert.rejects(judgeBy(lying)(request), refusal("Internal", 1, "the verifier"), String(bytes));
  }
});
