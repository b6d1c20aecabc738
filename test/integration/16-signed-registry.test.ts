/** Signed images of a registry, the whole way: found by the fetcher, judged, run without any insecure option but http. */
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Keyring, newKeyring } from "../fixtures/gpg.ts";
import { busyboxImage, digestOf } from "../fixtures/images.ts";
import { TYPES } from "../fixtures/registry.ts";
import type { Served } from "../fixtures/served-registry.ts";
import { compress } from "../fixtures/tar.ts";
import { BUNDLE_TYPE, messageBundle, payload } from "../fixtures/trust.ts";
import type { TestHost } from "../host/host.ts";
import { withHost } from "../host/with-host.ts";

const PORT = 5006;
const REGISTRY = `registry.test:${PORT}`;

type Piece = { readonly mediaType: string; readonly digest: string; readonly size: number };

type Collected = {
  served: Served;
  blob(type: string, bytes: Buffer): Piece;
  manifest(at: { repository: string; tag?: string }, document: object): Piece;
};

/** Collects what a registry has. */
function makeServed(): Collected {
  const served: Served = { blobs: [], manifests: [], pages: {} };
  return {
    served,
    blob: (mediaType, bytes) => {
      served.blobs.push(bytes.toString("base64"));
      return { mediaType, digest: digestOf(bytes), size: bytes.length };
    },
    manifest: (at, document) => {
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: TYPES.manifest, ...document }));
      served.manifests.push({ ...at, type: TYPES.manifest, bytes: bytes.toString("base64") });
      return { mediaType: TYPES.manifest, digest: digestOf(bytes), size: bytes.length };
    },
  };
}

/** What a manifest of busybox consists of. */
async function addBusybox(blob: Collected["blob"]): Promise<{ config: Piece; layers: Piece[] }> {
  const [tar = Buffer.alloc(0)] = (await busyboxImage()).layers;
  const configuration = {
    ...{ architecture: process.arch === "x64" ? "amd64" : process.arch, os: "linux" },
    ...{
      rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
      config: { Cmd: ["/bin/echo", "signed and run"] },
    },
  };
  return {
    config: blob(TYPES.config, Buffer.from(JSON.stringify(configuration))),
    layers: [blob(`${TYPES.layer}+gzip`, compress(tar, "gzip"))],
  };
}

/** One image under three names: unsigned, signed by cosign, and signed by gpg on a lookaside server. */
async function signedImages(ring: Keyring, alice: string): Promise<{ served: Served; key: string }> {
  const { served, blob, manifest } = makeServed();
  const { config, layers } = await addBusybox(blob);
  const names = ["plain/app", "cosign/app", "simple/app"];
  const [image] = names.map((repository) => manifest({ repository, tag: "1" }, { config, layers }));
  const digest = image?.digest ?? "";
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const claim = payload("cosign", digest, `${REGISTRY}/cosign/app`);
  const annotations = {
    "dev.cosignproject.cosign/signature": sign("sha256", claim, privateKey).toString("base64"),
  };
  const layer = { ...blob("application/vnd.dev.cosign.simplesigning.v1+json", claim), annotations };
  manifest({ repository: "cosign/app", tag: `${digest.replace(":", "-")}.sig` }, { config, layers: [layer] });
  const message = ring.sign(payload("atomic", digest, `${REGISTRY}/simple/app:1`), {
    keys: [alice],
    form: "inline",
  });
  served.pages[`/sigs/simple/app@${digest.replace(":", "=")}/signature-1`] = message.toString("base64");
  return { served, key: publicKey.export({ type: "spki", format: "pem" }).toString() };
}

async function withServed(host: TestHost, served: Served, body: () => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-served-"));
  writeFileSync(join(directory, "served.json"), JSON.stringify(served));
  const words = [
    "--import",
    "tsx",
    "test/fixtures/served-registry.ts",
    String(PORT),
    join(directory, "served.json"),
  ];
  const server = await host.spawn([process.execPath, ...words], { side: "internet", cwd: process.cwd() });
  const look = `for n in $(seq 600); do if bash -c ': </dev/tcp/127.0.0.1/${PORT}' 2>/dev/null; then exit 0; fi; sleep 0.05; done; exit 1`;
  try {
    assert.equal((await host.net(["sh", "-c", look])).status, 0);
    await body();
  } finally {
    server.kill("SIGTERM");
    await server.ended;
    rmSync(directory, { recursive: true });
  }
}

test("images of a registry signed by cosign and on a lookaside server are trusted with their keys, and only then", async (t) => {
  using ring = newKeyring();
  const alice = ring.generate("Alice <alice@example.com>");
  const { served, key } = await signedImages(ring, alice);
  await withHost(t, { name: "signed-registry" }, async (host) => {
    const gantry = (...words: string[]) => host.exec(["gantry", ...words]);
    const run = (name: string) =>
      gantry("run", "--insecure-options=http", "--pull-policy=update", `docker://${REGISTRY}/${name}/app:1`);
    const entry = { prefix: REGISTRY, lookaside: [`http://${REGISTRY}/sigs`] };
    await host.exec(["mkdir", "-p", "/etc/gantry/registries.d"]);
    await host.put("/etc/gantry/registries.d/test.json", JSON.stringify({ version: 1, registries: [entry] }));
    await host.put("/root/cosign.pem", key);
    await host.put("/root/alice.asc", ring.export(alice));
    await withServed(host, served, async () => {
      for (const name of ["plain", "cosign", "simple"]) {
        const refused = await run(name);
        assert.equal(refused.status, 5, `${name}: ${refused.stderr}`);
        assert.match(refused.stderr, new RegExp(`${name}/app`));
      }
      const keys: Record<string, string> = { cosign: "cosign.pem", simple: "alice.asc" };
      for (const [name, file] of Object.entries(keys)) {
        const words = [
          "trust",
          "add",
          `--prefix=${REGISTRY}/${name}`,
          "--skip-fingerprint-review",
          `/root/${file}`,
        ];
        const added = await gantry(...words);
        assert.equal(added.status, 0, added.stderr);
        const allowed = await run(name);
        assert.deepEqual(
          [allowed.status, allowed.stdout],
          [0, "signed and run\n"],
          `${name}: ${allowed.stderr}`,
        );
      }
      const still = await run("plain");
      assert.equal(still.status, 5, still.stderr);
    });
  });
});

/** The image as `bundle/app` and `stranger/app`, with what refers to it: of the latter nothing by the key that is trusted. */
async function bundledImages(): Promise<{ served: Served; key: string }> {
  const { served, blob, manifest } = makeServed();
  const image = await addBusybox(blob);
  const release = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const referrers: NonNullable<Served["referrers"]> = [];
  const refer = (repository: string, subject: Piece, { type, bytes }: { type: string; bytes: Buffer }) => {
    const config = blob("application/vnd.oci.empty.v1+json", Buffer.from("{}"));
    const layers = [blob(type, bytes)];
    const referrer = manifest({ repository }, { artifactType: type, config, layers, subject });
    referrers.push({ repository, subject: subject.digest, manifest: { ...referrer, artifactType: type } });
  };
  for (const repository of ["bundle/app", "stranger/app"]) {
    const subject = manifest({ repository, tag: "1" }, image);
    const bytes = Buffer.from(served.manifests.at(-1)?.bytes ?? "", "base64");
    const bundle = (key: KeyObject) => ({ type: BUNDLE_TYPE, bytes: messageBundle(bytes, key) });
    refer(repository, subject, { type: "text/spdx", bytes: Buffer.from("{}") });
    refer(repository, subject, bundle(stranger.privateKey));
    if (repository === "bundle/app") refer(repository, subject, bundle(release.privateKey));
  }
  const key = release.publicKey.export({ type: "spki", format: "pem" }).toString();
  return { served: { ...served, referrers }, key };
}

test("an image with sigstore bundles among its referrers is trusted by the key of one of them, and as long as that is trusted", async (t) => {
  const { served, key } = await bundledImages();
  await withHost(t, { name: "bundles" }, async (host) => {
    const gantry = (...words: string[]) => host.exec(["gantry", ...words]);
    const run = (name: string, policy = "update") =>
      gantry(
        "run",
        "--insecure-options=http",
        `--pull-policy=${policy}`,
        `docker://${REGISTRY}/${name}/app:1`,
      );
    await host.put("/root/release.pem", key);
    await withServed(host, served, async () => {
      for (const name of ["bundle", "stranger"]) {
        const refused = await run(name);
        assert.equal(refused.status, 5, refused.stderr);
        assert.match(refused.stderr, new RegExp(`no rule and no key is for "${REGISTRY}/${name}/app"`));
        const prefix = `--prefix=${REGISTRY}/${name}`;
        const added = await gantry("trust", "add", prefix, "--skip-fingerprint-review", "/root/release.pem");
        assert.equal(added.status, 0, added.stderr);
      }
      const allowed = await run("bundle");
      assert.deepEqual([allowed.status, allowed.stdout], [0, "signed and run\n"], allowed.stderr);
      const inspected = await gantry("image", "inspect", `${REGISTRY}/bundle/app:1`);
      const { verdict } = JSON.parse(inspected.stdout);
      assert.deepEqual([verdict.kind, verdict.witnesses.length], ["signed", 1], inspected.stdout);
      const other = await run("stranger");
      assert.equal(other.status, 5, other.stderr);
      assert.match(
        other.stderr,
        /stranger\/app:1" is not trusted: .*none of the keys trusted for this name made it/,
      );
    });
    const again = await run("bundle", "never");
    assert.equal(again.status, 0, again.stderr);
    await host.exec(["rm", "-r", "/etc/gantry/trustedkeys"]);
    const late = await run("bundle", "never");
    assert.equal(late.status, 5, late.stderr);
    assert.match(late.stderr, /bundle\/app:1" is not trusted/);
  });
});
