/** Simple signing by skopeo and gpg, cosign and sigstore bundles by their documented formats, as openssl makes them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import type { SignatureBytes, Verified } from "../../../src/trust/verifier.ts";
import { checkSignatures } from "../../../src/verifier/signatures.ts";
import { newKeyring } from "../../fixtures/gpg.ts";
import { digestOf } from "../../fixtures/images.ts";
import { payload } from "../../fixtures/trust.ts";

const ring = newKeyring();
const scratch = mkdtempSync(join(tmpdir(), "gantry-signatures-"));
after(() => {
  ring[Symbol.dispose]();
  rmSync(scratch, { recursive: true });
});
const alice = ring.generate("Alice <alice@example.com>");
const NAME = "registry.example/app:1";
const manifest = Buffer.from('{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}');
const digest = digestOf(manifest);

/** An index that leads to the manifest, as who asks has found out. */
const index = Buffer.from('{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}');

async function check(
  signature: SignatureBytes,
  ...keys: readonly Buffer[]
): Promise<Verified["signatures"][number]> {
  return await checkBy([], signature, ...keys);
}

async function checkBy(
  indexes: readonly { readonly digest: string; readonly content: string }[],
  signature: SignatureBytes,
  ...keys: readonly Buffer[]
): Promise<Verified["signatures"][number]> {
  const { signatures } = await checkSignatures({
    version: 1,
    verb: "verify",
    time: Date.now() * 1000,
    subject: { digest, manifest: manifest.toString("base64"), indexes: [...indexes] },
    keys: keys.map((content, at) => ({ path: String(at), content: content.toString("base64") })),
    signatures: [signature],
  });
  return signatures[0] ?? assert.fail();
}

async function refused(signature: SignatureBytes, key: Buffer, problem: RegExp): Promise<void> {
  const { signers, problems } = await check(signature, key);
  assert.deepEqual(signers, [], problem.source);
  assert.match(problems.join("; "), problem);
}

const simple = (content: Buffer): SignatureBytes => ({
  kind: "simple-signing",
  content: content.toString("base64"),
});
const inline = (content: Buffer, ...more: string[]) =>
  ring.sign(content, { keys: [alice], form: "inline", more });

test("simple signing: what skopeo signed", async () => {
  const [file, out] = [join(scratch, "manifest"), join(scratch, "signature")];
  writeFileSync(file, manifest);
  const words = ["standalone-sign", "--output", out, file, NAME, alice];
  execFileSync("skopeo", words, { env: { ...process.env, GNUPGHOME: ring.directory }, stdio: "ignore" });
  const { signers, problems } = await check(simple(readFileSync(out)), ring.export(alice));
  assert.deepEqual(problems, []);
  assert.deepEqual(
    signers.map(({ fingerprint, identity }) => [fingerprint, identity]),
    [[alice, NAME]],
  );
});

test("simple signing: payloads that are not exactly what the format says", async () => {
  const key = ring.export(alice);
  const critical = JSON.parse(payload("atomic", digest, NAME).toString()).critical;
  const good = await check(simple(inline(payload("atomic", digest, NAME), "--compress-algo", "none")), key);
  assert.equal(good.signers.length, 1);
  const wrong: readonly [payload: Buffer, problem: RegExp][] = [
    [payload("cosign", digest, NAME), /is a "cosign container image signature", not a "atomic/],
    [payload("atomic", `sha256:${"0".repeat(64)}`, NAME), /it is for sha256:000/],
    [payload("atomic", digest, NAME, { critical: { ...critical, extra: 1 } }), /critical.*extra/],
    [payload("atomic", digest, NAME, { critical: { ...critical, image: {} } }), /docker-manifest-digest/],
    [payload("atomic", digest, NAME, { more: 1 }), /more/],
    [Buffer.from(`{"__proto__":${JSON.stringify({ critical })}}`), /critical/],
    [Buffer.from("[".repeat(100_000)), /not JSON|its top/],
    [Buffer.from(""), /not JSON/],
    [Buffer.from("null"), /its top/],
  ];
  for (const [bytes, problem] of wrong) await refused(simple(inline(bytes)), key, problem);
});

test("simple signing: detached where inline is expected, unsigned messages, bombs, garbage", async () => {
  const key = ring.export(alice);
  const bytes = payload("atomic", digest, NAME);
  await refused(simple(ring.sign(bytes, { keys: [alice], binary: true })), key, /./);
  await refused(simple(ring.gpg(["--store"], bytes)), key, /carries no signature inside/);
  const bob = ring.generate("Bob <bob@example.com>");
  await refused(simple(ring.sign(bytes, { keys: [bob], form: "inline" })), key, /not among those trusted/);
  await refused(simple(key), key, /./);
  await refused(simple(Buffer.alloc(0)), key, /empty/);
  // 64 KiB that unpack to 60 MB: an OpenPGP compressed data packet of ZIP kind.
  const bomb = deflateRawSync(Buffer.alloc(60_000_000));
  const packet = Buffer.concat([Buffer.from([0xc8, 0xff, 0, 0, 0, 0, 1]), bomb]);
  packet.writeUInt32BE(bomb.length + 1, 2);
  const before = process.memoryUsage().rss;
  await refused(simple(packet), key, /./);
  assert.ok(process.memoryUsage().rss - before < 200_000_000);
  const signedBomb = inline(Buffer.alloc(20_000_000), "--compress-algo", "zip");
  assert.ok(signedBomb.length < 65_536);
  await refused(simple(signedBomb), key, /[Mm]ax|size|limit/);
});

function pem(key: KeyObject): Buffer {
  return Buffer.from(key.export({ type: "spki", format: "pem" }));
}

function cosign(key: KeyObject, bytes: Buffer, algorithm: string | null = "sha256"): SignatureBytes {
  const signature = sign(algorithm, bytes, key).toString("base64");
  return { kind: "cosign", content: bytes.toString("base64"), signature };
}

const p256 = generateKeyPairSync("ec", { namedCurve: "prime256v1" });

test("cosign: P-256, RSA and Ed25519 keys; weaker and other ones are refused with the reason", async () => {
  const bytes = payload("cosign", digest, "registry.example/app");
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ed25519 = generateKeyPairSync("ed25519");
  for (const [pair, algorithm] of [
    [p256, "sha256"],
    [rsa, "sha256"],
    [ed25519, null],
  ] as const) {
    const { signers } = await check(cosign(pair.privateKey, bytes, algorithm), pem(pair.publicKey));
    assert.deepEqual(
      signers.map(({ identity, annotations }) => [identity, annotations]),
      [["registry.example/app", { creator: "tests" }]],
    );
  }
  const small = generateKeyPairSync("rsa", { modulusLength: 1024 });
  await refused(cosign(small.privateKey, bytes), pem(small.publicKey), /1024 bits is too weak/);
  const k1 = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
  await refused(cosign(k1.privateKey, bytes), pem(k1.publicKey), /secp256k1 are not accepted/);
  // SHA-1 is not what is asked for, and so no signature.
  await refused(cosign(rsa.privateKey, bytes, "sha1"), pem(rsa.publicKey), /none of the keys/);
});

test("cosign: what openssl signs and checks is what is accepted here", async () => {
  const files = ["key", "payload", "signature"].map((name) => join(scratch, name));
  const [key = "", file = "", out = ""] = files;
  writeFileSync(key, p256.privateKey.export({ type: "pkcs8", format: "pem" }));
  writeFileSync(file, payload("cosign", digest, "registry.example/app"));
  execFileSync("openssl", ["dgst", "-sha256", "-sign", key, "-out", out, file]);
  const signature = readFileSync(out).toString("base64");
  const content = readFileSync(file).toString("base64");
  assert.equal((await check({ kind: "cosign", content, signature }, pem(p256.publicKey))).signers.length, 1);
});

test("cosign: tampered payloads and signatures, other digests, unknown members, other keys", async () => {
  const key = pem(p256.publicKey);
  const signed = (bytes: Buffer) => cosign(p256.privateKey, bytes);
  const good = signed(payload("cosign", digest, "registry.example/app"));
  assert.ok(good.kind === "cosign");
  const other = payload("cosign", digest, "registry.example/evil").toString("base64");
  await refused({ ...good, content: other }, key, /none of the keys/);
  await refused({ ...good, signature: "AAAA" }, key, /none of the keys/);
  await refused({ ...good, signature: randomBytes(70).toString("base64") }, key, /none of the keys/);
  const another = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  await refused(good, pem(another.publicKey), /none of the keys/);
  await refused(good, ring.export(alice), /none of the keys/);
  await refused(signed(payload("cosign", `sha256:${"0".repeat(64)}`, "a")), key, /it is for sha256:000/);
  await refused(signed(payload("atomic", digest, "a")), key, /not a "cosign/);
  await refused(signed(Buffer.from("{}")), key, /payload is wrong/);
  await refused(signed(Buffer.from(`{"critical":${"[".repeat(10_000)}`)), key, /not JSON/);
  // Two keys in one file, and the same key in two files.
  const both = await check(good, Buffer.concat([pem(another.publicKey), key]), key);
  assert.deepEqual(
    both.signers.map((signer) => signer.key),
    [0, 1],
  );
});

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";

function bundle(content: object, mediaType = BUNDLE): SignatureBytes {
  const whole = {
    mediaType,
    verificationMaterial: { publicKey: { hint: "any" }, tlogEntries: [] },
    ...content,
  };
  return { kind: "sigstore-bundle", content: Buffer.from(JSON.stringify(whole)).toString("base64") };
}

function messageBundle(bytes: Buffer, key: KeyObject = p256.privateKey): SignatureBytes {
  const hash = Buffer.from(digestOf(bytes).slice(7), "hex").toString("base64");
  const signature = sign("sha256", bytes, key).toString("base64");
  return bundle({ messageSignature: { messageDigest: { algorithm: "SHA2_256", digest: hash }, signature } });
}

/** DSSE's pre-authentication encoding is what is signed. */
function dsseBundle(statement: unknown, payloadType = "application/vnd.in-toto+json"): SignatureBytes {
  const bytes = Buffer.from(JSON.stringify(statement));
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${bytes.length} `;
  const sig = sign("sha256", Buffer.concat([Buffer.from(head), bytes]), p256.privateKey).toString("base64");
  return bundle({
    dsseEnvelope: { payload: bytes.toString("base64"), payloadType, signatures: [{ sig, keyid: "" }] },
  });
}

const statement = (subject: string, predicateType: string) => ({
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: "app", digest: { sha256: subject } }],
  predicateType,
  predicate: {},
});

test("sigstore bundles: over the manifest itself, and a statement about its digest", async () => {
  const key = pem(p256.publicKey);
  const message = await check(messageBundle(manifest), key);
  assert.deepEqual(
    message.signers.map(({ key: file, predicateType }) => [file, predicateType]),
    [[0, undefined]],
  );
  const type = "https://sigstore.dev/cosign/sign/v1";
  const attested = await check(dsseBundle(statement(digest.slice(7), type)), key);
  assert.deepEqual(
    attested.signers.map(({ predicateType }) => predicateType),
    [type],
  );
});

test("sigstore bundles: other bytes, digests, keys, types, certificates and garbage", async () => {
  const key = pem(p256.publicKey);
  const type = "https://sigstore.dev/cosign/sign/v1";
  const other = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  await refused(messageBundle(Buffer.from("other")), key, /none of the keys/);
  await refused(messageBundle(manifest, other.privateKey), key, /none of the keys/);
  await refused(dsseBundle(statement("0".repeat(64), type)), key, /is not about sha256:/);
  await refused(dsseBundle({ ...statement(digest.slice(7), type), subject: [] }), key, /is not about/);
  await refused(dsseBundle({ ...statement(digest.slice(7), type), _type: "x" }), key, /statement is wrong/);
  await refused(dsseBundle(statement(digest.slice(7), type), "text/plain"), key, /"text\/plain"/);
  const proto = JSON.parse(`{"subject":[{"digest":{"__proto__":{"sha256":"${digest.slice(7)}"}}}]}`);
  await refused(dsseBundle({ ...statement("0", type), ...proto }), key, /is not about|statement is wrong/);
  const chain = { verificationMaterial: { certificate: { rawBytes: "AAAA" } }, messageSignature: {} };
  await refused(bundle(chain), key, /./);
  await refused(bundle({ messageSignature: {} }, "application/json"), key, /./);
  for (const text of ["", "{}", "null", "[]", `{"mediaType":"${BUNDLE}"}`, "[".repeat(100_000)]) {
    await refused({ kind: "sigstore-bundle", content: Buffer.from(text).toString("base64") }, key, /./);
  }
});

test("every scheme says of which document a signature is, of the manifest and the indexes that lead to it", async () => {
  const indexes = [{ digest: digestOf(index), content: index.toString("base64") }];
  const keys = [ring.export(alice), pem(p256.publicKey)];
  const type = "https://sigstore.dev/cosign/sign/v1";
  for (const document of [manifest, index]) {
    const named = digestOf(document);
    for (const signature of [
      simple(inline(payload("atomic", named, NAME))),
      cosign(p256.privateKey, payload("cosign", named, NAME)),
      messageBundle(document),
      dsseBundle(statement(named.slice(7), type)),
    ]) {
      const { signers, problems } = await checkBy(indexes, signature, ...keys);
      assert.deepEqual([signers.map((signer) => signer.digest), problems], [[named], []], signature.kind);
      if (document !== index) continue;
      assert.deepEqual((await check(signature, ...keys)).signers, [], signature.kind);
    }
  }
  // Bytes that only bear the index's name.
  const forged = [{ digest: digestOf(index), content: Buffer.from("other").toString("base64") }];
  const { signers } = await checkBy(forged, messageBundle(Buffer.from("other")), ...keys);
  assert.deepEqual(signers, []);
});
