/**
 * The readers of keys and signatures under thousands of damaged inputs. Whatever comes, the answer keeps its form, nothing is
 * thrown, and nothing that was changed inside what is signed vouches for anything.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { after, test } from "node:test";
import { type SignatureBytes, VerifierAnswer } from "../../../src/trust/verifier.ts";
import { describeFile } from "../../../src/verifier/keys.ts";
import { checkSignatures } from "../../../src/verifier/signatures.ts";
import { newKeyring } from "../../fixtures/gpg.ts";
import { digestOf } from "../../fixtures/images.ts";
import { payload } from "../../fixtures/trust.ts";

const ring = newKeyring();
after(() => ring[Symbol.dispose]());
const alice = ring.generate("Alice <alice@example.com>");
const rsa = ring.generate("Rsa <rsa@example.com>", { algorithm: "rsa2048" });
const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const manifest = Buffer.from("{}");
const digest = digestOf(manifest);
const pem = Buffer.from(pair.publicKey.export({ type: "spki", format: "pem" }));
const keys = [ring.export(alice), ring.gpg(["--dearmor"], ring.export(rsa)), pem];
const signed = payload("cosign", digest, "registry.example/app");
const bundle = Buffer.from(
  JSON.stringify({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint: "" }, tlogEntries: [] },
    messageSignature: {
      messageDigest: {
        algorithm: "SHA2_256",
        digest: Buffer.from(digest.slice(7), "hex").toString("base64"),
      },
      signature: sign("sha256", manifest, pair.privateKey).toString("base64"),
    },
  }),
);

/** Deterministic, so that a failure can be seen again. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Flips, cuts, repeats, drops and splices. */
function damage(input: Buffer, next: (below: number) => number): Buffer {
  const bytes = Buffer.from(input);
  const at = next(bytes.length);
  switch (next(6)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes]);
    case 2:
      return Buffer.concat([
        bytes.subarray(0, at),
        bytes.subarray(Math.min(bytes.length, at + 1 + next(20))),
      ]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(next(300), next(256)), bytes.subarray(at)]);
    default:
      for (let count = 1 + next(4); count > 0; count--) bytes[next(bytes.length)] = next(256);
      return bytes;
  }
}

async function answer(signature: SignatureBytes, held: readonly Buffer[]) {
  return VerifierAnswer.parse(
    await checkSignatures({
      version: 1,
      verb: "verify",
      time: Date.now() * 1000,
      subject: { digest, manifest: manifest.toString("base64"), archive: "trusted" },
      keys: held.map((content, at) => ({ path: String(at), content: content.toString("base64") })),
      signatures: [signature],
    }),
  );
}

const base64 = (bytes: Buffer) => bytes.toString("base64");
const SEEDS: readonly (readonly [
  name: string,
  content: Buffer,
  make: (content: Buffer) => SignatureBytes,
])[] = [
  [
    "detached, armoured",
    ring.sign(manifest, { keys: [alice] }),
    (content) => ({ kind: "openpgp", content: base64(content) }),
  ],
  [
    "detached, binary",
    ring.sign(manifest, { keys: [rsa], binary: true }),
    (content) => ({ kind: "openpgp", content: base64(content) }),
  ],
  [
    "inline",
    ring.sign(payload("atomic", digest, "registry.example/app"), { keys: [alice], form: "inline" }),
    (content) => ({ kind: "simple-signing", content: base64(content) }),
  ],
  [
    "cosign payload",
    signed,
    (content) => ({
      kind: "cosign",
      content: base64(content),
      signature: base64(sign("sha256", signed, pair.privateKey)),
    }),
  ],
  ["bundle", bundle, (content) => ({ kind: "sigstore-bundle", content: base64(content) })],
];

const ROUNDS = 300;

for (const [name, content, make] of SEEDS) {
  test(`damaged signatures: ${name}`, async () => {
    const whole = await answer(make(content), keys);
    assert.ok(
      whole.verb === "verify" && (whole.signatures[0]?.signers.length ?? 0) > 0,
      "the seed itself is good",
    );
    const next = generator(content.length);
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = damage(content, next);
      const result = await answer(make(bytes), keys);
      assert.ok(result.verb === "verify");
      // Here every byte is signed.
      if (name === "cosign payload" && !bytes.equals(content))
        assert.deepEqual(result.signatures[0]?.signers, []);
      assert.ok(
        (result.signatures[0]?.signers.length ?? 0) + (result.signatures[0]?.problems.length ?? 0) > 0,
      );
    }
  });
}

for (const [at, key] of keys.entries()) {
  test(`damaged key files: ${["armoured", "binary", "PEM"][at]}`, async () => {
    const next = generator(key.length);
    const now = new Date();
    for (let round = 0; round < ROUNDS; round++) {
      const described = await describeFile(damage(key, next), now);
      VerifierAnswer.parse({ version: 1, verb: "keys", keys: [described] });
    }
  });
}
