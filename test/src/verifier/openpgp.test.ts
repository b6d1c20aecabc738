/** OpenPGP signatures of GnuPG's making, held against what gpgv says of them; the differences are decisions of ours. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { describeKeys, type Verified, verify } from "../../../src/trust/verifier.ts";
import { processVerifier } from "../../../src/trust/verifier-process.ts";
import { gpgvStatus, newKeyring } from "../../fixtures/gpg.ts";
import { VERIFIER } from "../../fixtures/trust.ts";

const ring = newKeyring();
const scratch = mkdtempSync(join(tmpdir(), "gantry-openpgp-"));
after(() => {
  ring[Symbol.dispose]();
  rmSync(scratch, { recursive: true });
});
const content = Buffer.from(`${"lines of text\r\nand more\n".repeat(4000)}`);
const archive = join(scratch, "archive");
writeFileSync(archive, content);
const verifier = processVerifier(VERIFIER);

type Case = {
  readonly key: Buffer;
  readonly signature: Buffer;
  readonly at?: string;
  readonly path?: string;
};

async function check(...cases: readonly Case[]): Promise<Verified["signatures"]> {
  const [first] = cases;
  const { signatures } = await verify(verifier, {
    request: {
      version: 1,
      verb: "verify",
      time: (first?.at === undefined ? Date.now() : Date.parse(first.at)) * 1000,
      subject: { digest: `sha256:${"0".repeat(64)}`, archive: "input" },
      keys: cases.map(({ key }, at) => ({ path: String(at), content: key.toString("base64") })),
      signatures: cases.map(({ signature }) => ({ kind: "openpgp", content: signature.toString("base64") })),
    },
    archive: first?.path ?? archive,
  });
  return signatures;
}

async function one(given: Case): Promise<string> {
  const [result] = await check(given);
  return result?.signers.map(({ fingerprint }) => fingerprint).join() || (result?.problems.join("; ") ?? "");
}

const status = (key: Buffer, signature: Buffer) => gpgvStatus(ring, key, { content, signature });

test("good signatures of every accepted kind of key, armoured and binary, as gpgv finds them", async () => {
  for (const algorithm of ["ed25519", "rsa2048", "rsa4096", "nistp256", "nistp384"]) {
    const key = ring.generate(`${algorithm} <a@example.com>`, { algorithm });
    for (const options of [{}, { binary: true }, { digest: "SHA384" }]) {
      const signature = ring.sign(content, { keys: [key], ...options });
      assert.equal(await one({ key: ring.export(key), signature }), key, algorithm);
      assert.ok(status(ring.export(key), signature).includes("GOODSIG"), algorithm);
    }
  }
});

test("a subkey signs for its primary key, until it expires or is revoked", async () => {
  const key = ring.generate("Subkeys <s@example.com>", { at: "20200101T000000" });
  ring.addSubkey(key, "ed25519", { at: "20200101T000000", expires: "1y" });
  const sub =
    /^sub:.*\n^fpr:{9}([0-9A-F]{40}):/m.exec(
      ring.gpg(["--with-colons", "--list-keys", key]).toString(),
    )?.[1] ?? "";
  const signature = ring.sign(content, { keys: [sub], at: "20200601T000000" });
  assert.equal(await one({ key: ring.export(key), signature, at: "2020-07-01" }), key);
  assert.match(await one({ key: ring.export(key), signature }), /expired/i);
  assert.ok(status(ring.export(key), signature).includes("EXPKEYSIG"));
});

test("an expired key vouches for nothing any more, whenever it signed; renewed in another file, it does", async () => {
  const key = ring.generate("Expired <e@example.com>", { at: "20200101T000000", expires: "1y" });
  const signature = ring.sign(content, { keys: [key], at: "20200601T000000" });
  const expired = ring.export(key);
  assert.equal(await one({ key: expired, signature, at: "2020-07-01" }), key);
  assert.match(await one({ key: expired, signature }), new RegExp(`key ${key}: Primary key is expired`));
  assert.ok(status(expired, signature).includes("EXPKEYSIG"));
  ring.gpg(["--passphrase", "", "--pinentry-mode", "loopback", "--quick-set-expire", key, "0"]);
  const renewed = await check({ key: expired, signature }, { key: ring.export(key), signature });
  // Both files hold the key, and so both count.
  assert.deepEqual(
    renewed[0]?.signers.map(({ key: file }) => file),
    [0, 1],
  );
});

test("when a key or a signature will have expired is told", async () => {
  const key = ring.generate("Expiring <x@example.com>", { expires: "2040-01-01" });
  const [plain] = await check({ key: ring.export(key), signature: ring.sign(content, { keys: [key] }) });
  const keyEnd = plain?.signers[0]?.expires ?? 0;
  assert.equal(new Date(keyEnd / 1000).getUTCFullYear(), 2040);
  const signature = ring.sign(content, { keys: [key], more: ["--default-sig-expire", "1y"] });
  const [sooner] = await check({ key: ring.export(key), signature });
  assert.ok((sooner?.signers[0]?.expires ?? keyEnd) < keyEnd);
  const past = ring.generate("Past <p@example.com>", { at: "20200101T000000" });
  const old = ring.sign(content, {
    keys: [past],
    at: "20200101T000001",
    more: ["--default-sig-expire", "1m"],
  });
  assert.match(await one({ key: ring.export(past), signature: old }), /expired/);
});

test("a revoked key vouches for nothing, though gpgv's sentence calls the signature good", async () => {
  const key = ring.generate("Revoked <r@example.com>");
  const signature = ring.sign(content, { keys: [key] });
  const before = ring.export(key);
  ring.revoke(key);
  assert.match(
    await one({ key: ring.export(key), signature }),
    new RegExp(`key ${key}: Primary key is revoked`),
  );
  assert.ok(status(ring.export(key), signature).includes("REVKEYSIG"));
  // A copy from before, beside it, does not bring it back.
  const both = await check({ key: before, signature }, { key: ring.export(key), signature });
  assert.deepEqual(both[0]?.signers, []);
});

test("weak keys and digests are refused, which gpgv accepts", async () => {
  const weak: readonly [algorithm: string, digest: string | undefined, problem: RegExp][] = [
    ["rsa1024", undefined, /shorter than 2047 bits/],
    ["dsa2048", undefined, /dsa keys are considered too weak/],
    ["rsa2048", "SHA1", /hash algorithm is insecure/],
  ];
  for (const [algorithm, digest, problem] of weak) {
    const key = ring.generate(`weak ${algorithm} <w@example.com>`, { algorithm });
    const signature = ring.sign(content, { keys: [key], ...(digest === undefined ? {} : { digest }) });
    assert.match(await one({ key: ring.export(key), signature }), problem);
    assert.ok(status(ring.export(key), signature).includes("GOODSIG"), algorithm);
  }
});

test("unknown keys, changed bytes, the future, text mode, and signatures of nothing", async () => {
  const [alice, bob] = [ring.generate("Alice <a@b.example>"), ring.generate("Bob <b@b.example>")];
  const key = ring.export(alice);
  const refused: readonly [signature: Buffer, problem: RegExp, word: string][] = [
    [ring.sign(content, { keys: [bob] }), /not among those trusted for this name/, "NO_PUBKEY"],
    [ring.sign(Buffer.from("x"), { keys: [alice] }), /digest did not match/, "BADSIG"],
    [ring.sign(content, { keys: [alice], at: "20400101T000000" }), /2040-01-01.*has not come yet/, "GOODSIG"],
    // gpgv knows that it was made over text; whoever reads it as bytes must not.
    [
      ring.sign(content, { keys: [alice], more: ["--textmode"] }),
      /no signature of a file's bytes/,
      "GOODSIG",
    ],
  ];
  for (const [signature, problem, word] of refused) {
    assert.match(await one({ key, signature }), problem);
    assert.ok(status(key, signature).includes(word), `${word} not in ${status(key, signature)}`);
  }
  // Of two signers one suffices, and the other is told.
  const two = ring.sign(content, { keys: [bob, alice] });
  const [result] = await check({ key, signature: two });
  assert.deepEqual([result?.signers.length, result?.problems.length], [1, 1]);
});

test("what is no detached signature says so: empty, cut, of another kind, inline, huge", async () => {
  const alice = ring.generate("Alice <a@c.example>");
  const key = ring.export(alice);
  const good = ring.sign(content, { keys: [alice], binary: true });
  const wrong: readonly [signature: Buffer, problem: RegExp][] = [
    [Buffer.alloc(0), /signature is empty/],
    [good.subarray(0, good.length - 10), /./],
    [key, /not of type signature/],
    [ring.sign(content, { keys: [alice], form: "inline" }), /./],
    [Buffer.alloc(60_000), /./],
    [Buffer.from("not a signature"), /./],
    [Buffer.concat(Array.from({ length: 40 }, () => good)), /more than 32 signatures/],
  ];
  for (const [signature, problem] of wrong) {
    const [result] = await check({ key, signature });
    assert.deepEqual(result?.signers, []);
    assert.match(result?.problems[0] ?? "", problem);
  }
});

test("key files: several keys, several armours, binary ones; what is none says why", async () => {
  const [alice, bob] = [ring.generate("Alice <a@d.example>"), ring.generate("Bob <b@d.example>")];
  const signature = ring.sign(content, { keys: [bob] });
  const files = [
    Buffer.concat([ring.export(alice), ring.export(bob)]),
    ring.export(alice, bob),
    ring.gpg(["--dearmor"], ring.export(alice, bob)),
  ];
  for (const key of files) assert.equal(await one({ key, signature }), bob);
  const secret = ring.gpg([
    "--passphrase",
    "",
    "--pinentry-mode",
    "loopback",
    "--armor",
    "--export-secret-keys",
    alice,
  ]);
  const texts: readonly [content: Buffer, problem: RegExp][] = [
    [secret, /private key/],
    [ring.gpg(["--dearmor"], secret), /private key/],
    [signature, /armoured text that is no public key/],
    [Buffer.from("hello"), /./],
    [Buffer.alloc(0), /./],
    [Buffer.concat([Buffer.from([0x99, 0xff, 0xff]), Buffer.alloc(100)]), /./],
  ];
  const described = await describeKeys(
    verifier,
    texts.map(([bytes], at) => ({ path: String(at), content: bytes })),
  );
  for (const [at, [, problem]] of texts.entries()) assert.match(String(described[at]), problem);
});

test("keys are described for whoever shall trust them", async () => {
  const at = "20200101T000000";
  const key = ring.generate("Carol \u202etest <c@example.com>", { at, expires: "1y" });
  const [keys] = await describeKeys(verifier, [{ path: "k", content: ring.export(key) }]);
  assert.ok(Array.isArray(keys));
  const { kind, fingerprint, userIds, algorithm, created, problem, text } = keys[0] ?? assert.fail();
  assert.deepEqual([kind, fingerprint, algorithm], ["openpgp", key, "eddsaLegacy ed25519Legacy"]);
  // No name can turn the line around in which it is shown.
  assert.deepEqual(userIds, ["Carol \\u202etest <c@example.com>"]);
  assert.equal(created, Date.UTC(2020, 0, 1) * 1000);
  assert.match(problem ?? "", /expired/);
  assert.match(text, /^-----BEGIN PGP PUBLIC KEY BLOCK-----/);
});
