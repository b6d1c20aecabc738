/** Images from files on this machine, judged by the real verifier before anything of them is in the store. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { hostPlatform } from "../../../src/image/platform.ts";
import { type FetchRequest, fetchImage, findImage } from "../../../src/manager/images.ts";
import { collectGarbage } from "../../../src/store/gc.ts";
import { blobsOf } from "../../../src/store/verify.ts";
import { newKeyring } from "../../fixtures/gpg.ts";
import {
  addBlob,
  addImage,
  addManifest,
  busyboxImage,
  type Descriptor,
  digestOf,
  MEDIA_TYPES,
  writeAci,
  writeDockerArchive,
  writeIndex,
  writeOciLayout,
} from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { names, newStore, type TestStore } from "../../fixtures/store.ts";
import { payload } from "../../fixtures/trust.ts";

const ring = newKeyring();
after(() => ring[Symbol.dispose]());
const alice = ring.generate("Alice <alice@example.com>");
const busybox = await busyboxImage();

function put(store: TestStore, path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(store.trust, path)), { recursive: true });
  writeFileSync(join(store.trust, path), content);
}

function fetch(store: TestStore, source: string, more: Partial<FetchRequest> = {}) {
  return fetchImage(store.manager, { source, insecureOptions: [], uid: 0, ...more });
}

async function signedAci(store: TestStore, name: string): Promise<string> {
  const path = join(store.directory, "app.aci");
  await writeAci(path, [{ name: "rootfs/a", body: "a" }], { name, compression: "gzip" });
  writeFileSync(`${path}.asc`, ring.sign(readFileSync(path), { keys: [alice] }));
  return path;
}

test("an ACI is judged by the signature beside it, which is kept as long as the image", async () => {
  using store = newStore();
  const path = await signedAci(store, "example.com/app");
  await assert.rejects(
    fetch(store, path),
    refusal("NotTrusted", 5, '"example.com/app', "no rule and no key"),
  );
  assert.deepEqual(names(join(store.data, "layers")), []);
  put(store, `trustedkeys/prefix.d/example.com/app/${alice}`, ring.export(alice));
  const { id, verdict } = await fetch(store, path);
  assert.ok(verdict.kind === "signed");
  assert.equal(verdict.witnesses[0]?.fingerprint, alice);
  assert.equal(verdict.archive, digestOf(readFileSync(path)));
  await collectGarbage({ directory: store.data }, { stopOperation: async () => {} });
  const signature = digestOf(readFileSync(`${path}.asc`)).slice(7);
  assert.ok(names(join(store.data, "blobs/sha256")).includes(signature));
  assert.equal((await findImage(store.manager, id)).verdict.kind, "signed");
});

test("a signature from elsewhere is named; one that fails, is missing or is huge says so", async () => {
  using store = newStore();
  put(store, `trustedkeys/root.d/${alice}`, ring.export(alice));
  const path = await signedAci(store, "example.com/app");
  const elsewhere = join(store.directory, "elsewhere.sig");
  writeFileSync(elsewhere, readFileSync(`${path}.asc`));
  writeFileSync(`${path}.asc`, "");
  await assert.rejects(fetch(store, path), refusal("NotTrusted", 5, "example.com/app", "signature is empty"));
  assert.equal((await fetch(store, path, { signature: elsewhere })).verdict.kind, "signed");
  const none = join(store.directory, "none");
  await assert.rejects(fetch(store, path, { signature: none }), refusal("Usage", 2, none));
  writeFileSync(elsewhere, Buffer.alloc(50_000_000));
  await assert.rejects(
    fetch(store, path, { signature: elsewhere }),
    refusal("BadImage", 1, elsewhere, "50000000 bytes, the limit is 65536"),
  );
  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from([0])]));
  await assert.rejects(
    fetch(store, path, { signature: `${path}.asc` }),
    refusal("NotTrusted", 5, "example.com/app"),
  );
});

test("what was fetched unchecked becomes trusted only by being checked, and not untrusted by the reverse", async () => {
  using store = newStore();
  put(store, `trustedkeys/root.d/${alice}`, ring.export(alice));
  const path = await signedAci(store, "example.com/app");
  const stored = async () => (await findImage(store.manager, id)).verdict.kind;
  const { id, verdict } = await fetch(store, path, { insecureOptions: ["image"] });
  assert.deepEqual([verdict.kind, await stored()], ["insecure", "insecure"]);
  await fetch(store, path);
  assert.equal(await stored(), "signed");
  // The word for one fetch is that fetch's, and takes nothing from what was verified.
  const again = await fetch(store, path, { insecureOptions: ["image"] });
  assert.deepEqual([again.verdict.kind, await stored()], ["insecure", "signed"]);
});

test("an OCI layout brings cosign's signatures along, and they are not taken for images", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  const image = writeOciLayout(layout, busybox);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const name = "registry.example/app";
  const signed = payload("cosign", image.digest, name);
  const config = addBlob(layout, "application/vnd.oci.image.config.v1+json", Buffer.from("{}"));
  const layer: Descriptor = {
    ...addBlob(layout, "application/vnd.dev.cosign.simplesigning.v1+json", signed),
    annotations: {
      "dev.cosignproject.cosign/signature": sign("sha256", signed, privateKey).toString("base64"),
    },
  };
  const signatures = addManifest(layout, { config, layers: [layer] });
  const ref = "org.opencontainers.image.ref.name";
  const tag = `${image.digest.replace(":", "-")}.sig`;
  writeIndex(layout, [
    { ...image, annotations: { [ref]: `${name}:1` } },
    { ...signatures, annotations: { [ref]: tag } },
  ]);
  await assert.rejects(fetch(store, `oci:${layout}`), refusal("NotTrusted", 5, `"${name}:1"`));
  put(store, "trustedkeys/named.d/release.pem", publicKey.export({ type: "spki", format: "pem" }).toString());
  const rule = { scope: "registry.example", requirements: [{ kind: "cosign", keys: ["release.pem"] }] };
  put(store, "trust.d/a.json", JSON.stringify({ version: 1, rules: [rule] }));
  const { verdict } = await fetch(store, `oci:${layout}`);
  assert.equal(verdict.kind === "signed" && verdict.witnesses[0]?.identity, name);
  // The same signature for an image that calls itself something else.
  writeIndex(layout, [
    { ...image, annotations: { [ref]: "registry.example/other:1" } },
    { ...signatures, annotations: { [ref]: tag } },
  ]);
  await assert.rejects(
    fetch(store, `oci:${layout}`),
    refusal("NotTrusted", 5, '"registry.example/other:1"', `it is for ${name}`),
  );
});

test("a layout's image of several platforms may be signed as a whole, over its index", async () => {
  using store = newStore();
  const layout = join(store.directory, "layout");
  const on = (image: Descriptor, architecture: string) => ({
    ...image,
    platform: { os: "linux", architecture },
  });
  const own = addImage(layout, busybox);
  const { architecture } = hostPlatform();
  const foreign = addImage(layout, { ...busybox, config: { Cmd: ["/foreign"] } });
  const manifests = [on(foreign, architecture === "s390x" ? "amd64" : "s390x"), on(own, architecture)];
  const content = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }));
  const index = addBlob(layout, MEDIA_TYPES.index, content);
  const name = "registry.example/app:1";
  writeIndex(layout, [{ ...index, annotations: { "org.opencontainers.image.ref.name": name } }]);
  put(store, `trustedkeys/prefix.d/registry.example/${alice}`, ring.export(alice));
  const signature = join(store.directory, "signature-1");
  const signFor = (digest: string) =>
    writeFileSync(signature, ring.sign(payload("atomic", digest, name), { keys: [alice], form: "inline" }));
  signFor(foreign.digest);
  await assert.rejects(
    fetch(store, `oci:${layout}`, { signature }),
    refusal("NotTrusted", 5, `"${name}"`, `it is for ${foreign.digest}`),
  );
  signFor(index.digest);
  const record = await fetch(store, `oci:${layout}`, { signature });
  const { verdict } = record;
  assert.ok(verdict.kind === "signed");
  assert.deepEqual([record.digest, verdict.witnesses[0]?.digest], [own.digest, index.digest]);
  await collectGarbage({ directory: store.data }, { stopOperation: async () => {} });
  assert.ok(names(join(store.data, "blobs/sha256")).includes(index.digest.slice(7)));
  assert.ok(blobsOf(record).includes(index.digest));
});

test("a layout's simple signing comes from a file of its own", async () => {
  using store = newStore();
  put(store, `trustedkeys/prefix.d/registry.example/${alice}`, ring.export(alice));
  const layout = join(store.directory, "layout");
  const { digest } = writeOciLayout(layout, busybox, { ref: "registry.example/app:1" });
  const signature = join(store.directory, "signature-1");
  writeFileSync(
    signature,
    ring.sign(payload("atomic", digest, "registry.example/app:1"), { keys: [alice], form: "inline" }),
  );
  await assert.rejects(
    fetch(store, `oci:${layout}`),
    refusal("NotTrusted", 5, "registry.example/app:1", "no openpgp signature"),
  );
  assert.equal((await fetch(store, `oci:${layout}`, { signature })).verdict.kind, "signed");
});

test("a name has the verdict that was given for it, whatever else its image is called", async () => {
  using store = newStore();
  put(store, `trustedkeys/prefix.d/registry.example/signed/${alice}`, ring.export(alice));
  const layout = join(store.directory, "layout");
  const signature = join(store.directory, "signature-1");
  const verdictOf = async (name: string) => (await findImage(store.manager, name)).verdict.kind;
  const [signed, other] = ["registry.example/signed:1", "registry.example/other:1"];
  const { digest } = writeOciLayout(layout, busybox, { ref: signed });
  writeFileSync(signature, ring.sign(payload("atomic", digest, signed), { keys: [alice], form: "inline" }));
  const { id } = await fetch(store, `oci:${layout}`, { signature });
  writeOciLayout(layout, busybox, { ref: other });
  await assert.rejects(fetch(store, `oci:${layout}`), refusal("NotTrusted", 5, `"${other}"`));
  await fetch(store, `oci:${layout}`, { insecureOptions: ["image"] });
  assert.deepEqual([await verdictOf(signed), await verdictOf(other)], ["signed", "insecure"]);
  assert.equal(await verdictOf(id), "signed");
  const rule = { scope: other, transport: "file", requirements: [{ kind: "unsigned" }] };
  put(store, "trust.d/a.json", JSON.stringify({ version: 1, rules: [rule] }));
  assert.equal(await verdictOf(other), "insecure", "a rule makes nothing trusted that nobody checked");
  await fetch(store, `oci:${layout}`);
  assert.deepEqual([await verdictOf(signed), await verdictOf(other)], ["signed", "unsigned"]);
  const record = await findImage(store.manager, other);
  assert.deepEqual(record.names, [other, signed], "the name it was asked by comes first");
  assert.ok(
    blobsOf(record).includes(digestOf(readFileSync(signature))),
    "and what the other rests on is checked",
  );
});

test("a file whose image has several names must be trusted by each of them", async () => {
  using store = newStore();
  const archive = join(store.directory, "saved.tar");
  const [open, closed] = ["registry.example/open:1", "registry.example/closed:1"];
  await writeDockerArchive(archive, busybox, { tags: [open, closed] });
  const accept = (scope: string) => ({ scope, transport: "file", requirements: [{ kind: "unsigned" }] });
  const rules = (...scopes: string[]) =>
    put(store, "trust.d/a.json", JSON.stringify({ version: 1, rules: scopes.map(accept) }));
  rules("registry.example/open");
  await assert.rejects(fetch(store, archive), refusal("NotTrusted", 5, `"${closed}"`));
  assert.deepEqual(names(join(store.data, "images")), []);
  rules("registry.example/open", "registry.example/closed");
  await fetch(store, archive);
  for (const name of [open, closed]) {
    const { verdict } = await findImage(store.manager, name);
    assert.equal(verdict.kind === "unsigned" && verdict.reference, name);
  }
});
