/** Images of several platforms, signed as a whole: signatures over an index count where it provably leads to the manifest. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { after, test } from "node:test";
import { GantryError } from "../../../src/base/errors.ts";
import type { Verdict } from "../../../src/image/verdict.ts";
import { rejudge } from "../../../src/trust/judge.ts";
import type { JudgeRequest, Subject } from "../../../src/trust/subject.ts";
import { newKeyring } from "../../fixtures/gpg.ts";
import { digestOf, MEDIA_TYPES } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { type Made, messageBundle, newTrust, payload, type TestTrust } from "../../fixtures/trust.ts";

const ring = newKeyring();
after(() => ring[Symbol.dispose]());
const alice = ring.generate("Alice <alice@example.com>");
const release = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const NAME = "registry.example/app";

function indexOver(mediaType: string, ...listed: readonly Buffer[]): Buffer {
  const manifests = listed.map((bytes) => ({ mediaType, digest: digestOf(bytes), size: bytes.length }));
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests }));
}

const manifest = Buffer.from(`{"schemaVersion":2,"mediaType":"${MEDIA_TYPES.manifest}","of":"this"}`);
const other = Buffer.from(`{"schemaVersion":2,"mediaType":"${MEDIA_TYPES.manifest}","of":"another"}`);
const inner = indexOver(MEDIA_TYPES.manifest, other, manifest);
const outer = indexOver(MEDIA_TYPES.index, inner);
const stranger = indexOver(MEDIA_TYPES.manifest, other);
const DOCUMENTS = [manifest, other, inner, outer, stranger];
const CHAIN = [outer, inner].map((bytes) => digestOf(bytes));

function subjectBy(indexes: readonly string[]): Partial<Subject> {
  return { digest: digestOf(manifest), manifest, indexes };
}

/** What is kept: a document that is not there is what the store says of it. */
function blobsOf(documents: readonly Buffer[]): Pick<JudgeRequest, "blob"> {
  const kept = new Map(documents.map((bytes) => [digestOf(bytes), bytes]));
  return {
    blob: async (digest) => {
      const bytes = kept.get(digest);
      if (bytes !== undefined) return bytes;
      throw new GantryError("StoreCorrupt", `blob ${digest} is missing`);
    },
  };
}

function simple(document: Buffer): Made {
  const bytes = payload("atomic", digestOf(document), `${NAME}:1`);
  const blob = ring.sign(bytes, { keys: [alice], form: "inline" });
  return { signature: { kind: "simple-signing", signature: digestOf(blob) }, blob };
}

function cosign(document: Buffer): Made {
  const blob = payload("cosign", digestOf(document), NAME);
  const signature = sign("sha256", blob, release.privateKey).toString("base64");
  return { signature: { kind: "cosign", payload: digestOf(blob), signature }, blob };
}

function bundle(document: Buffer): Made {
  const blob = messageBundle(document, release.privateKey);
  return { signature: { kind: "sigstore-bundle", bundle: digestOf(blob) }, blob };
}

/** The keystore has a key for either kind of signature. */
function trusting(): TestTrust {
  const trust = newTrust();
  const pem = release.publicKey.export({ type: "spki", format: "pem" });
  const der = digestOf(release.publicKey.export({ type: "spki", format: "der" })).slice(7);
  trust.put("etc", `trustedkeys/prefix.d/registry.example/${alice}`, ring.export(alice));
  trust.put("etc", `trustedkeys/prefix.d/registry.example/${der}.pem`, pem);
  return trust;
}

function judge(trust: TestTrust, indexes: readonly string[], made: readonly Made[]) {
  const blobs = blobsOf([...DOCUMENTS, ...made.map(({ blob }) => blob)]);
  return trust.judge(subjectBy(indexes), made, blobs);
}

function again(trust: TestTrust, verdict: Verdict, documents: readonly Buffer[]): Promise<Verdict> {
  const record = { kind: "oci" as const, digest: digestOf(manifest), verdict };
  return rejudge(trust, { record, source: `${NAME}:1`, insecureOptions: [], ...blobsOf(documents) });
}

test("a signature over any index of the chain counts in every scheme, and again from what was kept", async () => {
  using trust = trusting();
  for (const make of [simple, cosign, bundle]) {
    for (const document of [outer, inner, manifest]) {
      const { verdict, evidence } = await judge(trust, CHAIN, [make(document)]);
      assert.ok(verdict.kind === "signed");
      assert.deepEqual(
        verdict.witnesses.map(({ digest }) => digest),
        [digestOf(document)],
      );
      assert.deepEqual(verdict.indexes, CHAIN);
      const kept = [...evidence.values(), manifest];
      assert.ok(kept.includes(outer) && kept.includes(inner));
      assert.equal((await again(trust, verdict, kept)).kind, "signed");
    }
  }
});

test("a signature over an index that does not lead to the manifest is for something else", async () => {
  using trust = trusting();
  for (const make of [simple, cosign]) {
    for (const [indexes, signed] of [
      [[], outer],
      [[digestOf(inner)], outer],
      [CHAIN, stranger],
      [CHAIN, other],
    ] as const) {
      const text = `it is for ${digestOf(signed)}, not for ${digestOf(manifest)}`;
      await assert.rejects(
        judge(trust, indexes, [make(signed)]),
        refusal("NotTrusted", 5, `"${NAME}:1"`, text),
      );
    }
  }
  await assert.rejects(
    judge(trust, CHAIN, [bundle(stranger)]),
    refusal("NotTrusted", 5, `"${NAME}:1"`, "none of the keys"),
  );
});

test("what is only said to be a chain is none, whoever says it", async () => {
  using trust = trusting();
  for (const [indexes, at] of [
    [[digestOf(stranger)], stranger],
    [[digestOf(outer)], outer],
    [[digestOf(inner), digestOf(outer)], inner],
    [[digestOf(stranger), digestOf(inner)], stranger],
  ] as const) {
    await assert.rejects(
      judge(trust, indexes, [simple(at)]),
      refusal("NotTrusted", 5, `"${NAME}:1"`, `index ${digestOf(at)} does not list`),
    );
  }
});

test("without its indexes, or with other bytes in their place, a verdict is refused", async () => {
  using trust = trusting();
  const { verdict, evidence } = await judge(trust, CHAIN, [simple(outer)]);
  const kept = [...evidence.values(), manifest];
  for (const gone of [outer, inner]) {
    const rest = kept.filter((bytes) => bytes !== gone);
    await assert.rejects(
      again(trust, verdict, rest),
      refusal("NotTrusted", 5, `"${NAME}:1"`, `blob ${digestOf(gone)} is missing`),
    );
    const lying = async (digest: string) =>
      digest === digestOf(gone) ? stranger : await blobsOf(kept).blob(digest, 0);
    const record = { kind: "oci" as const, digest: digestOf(manifest), verdict };
    await assert.rejects(
      rejudge(trust, { record, source: NAME, insecureOptions: [], blob: lying }),
      refusal("NotTrusted", 5, `"${NAME}:1"`, `index should have digest ${digestOf(gone)}`),
    );
  }
  // A record that names fewer indexes than its signature needs.
  assert.ok(verdict.kind === "signed");
  const { indexes: _, ...without } = verdict;
  await assert.rejects(
    again(trust, without, kept),
    refusal("NotTrusted", 5, `it is for ${digestOf(outer)}, not for ${digestOf(manifest)}`),
  );
});

test("a record from before indexes counted is judged as it was", async () => {
  using trust = trusting();
  const made = simple(manifest);
  const { verdict } = await judge(trust, [], [made]);
  assert.ok(verdict.kind === "signed");
  assert.equal(verdict.indexes, undefined);
  const witnesses = verdict.witnesses.map(({ digest: _, ...witness }) => witness);
  const judged = await again(trust, { ...verdict, witnesses }, [made.blob]);
  assert.equal(judged.kind, "signed");
});

test("a rule or a consent may pin an index", async () => {
  using trust = newTrust();
  const pin = (document: Buffer) => {
    const requirements = [{ kind: "digests", digests: [digestOf(document)] }];
    trust.put("etc", "trust.d/50-test.json", { version: 1, rules: [{ scope: NAME, requirements }] });
  };
  for (const document of [outer, inner, manifest]) {
    pin(document);
    const { verdict, evidence } = await judge(trust, CHAIN, []);
    assert.deepEqual([verdict.kind, verdict.reason], ["pinned", `pinned to digest ${digestOf(document)}`]);
    assert.equal((await again(trust, verdict, [...evidence.values(), manifest])).kind, "pinned");
  }
  pin(stranger);
  await assert.rejects(judge(trust, CHAIN, []), refusal("NotTrusted", 5, "is not among those pinned"));
  const consent = { name: NAME, digest: digestOf(outer), time: 1_700_000_000_000_000, uid: 1000 };
  trust.put("etc", "trust.d/50-test.json", { version: 1, consents: [consent] });
  const { verdict } = await judge(trust, CHAIN, []);
  assert.ok(verdict.kind === "pinned" && verdict.consent);
  await assert.rejects(judge(trust, [], []), refusal("NotTrusted", 5, `"${NAME}:1"`));
});
