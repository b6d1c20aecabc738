/** Signed images of Debian's docker-registry: what skopeo and cosign leave there and at a lookaside server, judged by a host's policy. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { hostPlatform } from "../../src/image/platform.ts";
import { type DockerRegistry, startDockerRegistry } from "../fixtures/docker-registry.ts";
import { newKeyring } from "../fixtures/gpg.ts";
import {
  addBlob,
  addImage,
  addManifest,
  blobPath,
  busyboxImage,
  type Descriptor,
  digestOf,
  MEDIA_TYPES,
  manyLayerImage,
  writeIndex,
  writeOciLayout,
} from "../fixtures/images.ts";
import { BUNDLE_TYPE, messageBundle, payload } from "../fixtures/trust.ts";
import type { Result, TestHost } from "../host/host.ts";
import { BUILD } from "../host/machine.ts";
import { withHost } from "../host/with-host.ts";

const ring = newKeyring();
mkdirSync(join(BUILD, "cache"), { recursive: true });
// The internet side has the machine's files, but a /tmp of its own.
const scratch = mkdtempSync(join(BUILD, "cache/signed-registry-"));
after(() => {
  ring[Symbol.dispose]();
  rmSync(scratch, { recursive: true });
});
const alice = ring.generate("Alice <alice@example.com>");
const ADDRESS = "203.0.113.1";
const LOOKASIDE = join(scratch, "lookaside");

type Signed = { readonly host: TestHost; readonly registry: DockerRegistry; readonly name: string };

async function withRegistry(
  t: TestContext,
  name: string,
  body: (signed: Signed) => Promise<void>,
): Promise<void> {
  await withHost(t, { name: `signed-${name}` }, async (host) => {
    await using registry = await startDockerRegistry(host);
    const registries = {
      version: 1,
      registries: [
        { prefix: registry.name, insecure: ["http"], lookaside: [`http://${ADDRESS}:8000/lookaside`] },
      ],
    };
    await output(host.exec(["mkdir", "-p", "/etc/gantry/registries.d"]));
    await host.put("/etc/gantry/registries.d/test.json", JSON.stringify(registries));
    await body({ host, registry, name: `${registry.name}/team/app` });
  });
}

async function output(result: Promise<Result>): Promise<string> {
  const { status, stdout, stderr } = await result;
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

function fetch(host: TestHost, source: string): Promise<Result> {
  return host.exec(["gantry", "fetch", `docker://${source}`]);
}

async function assertRefused(result: Promise<Result>, ...texts: string[]): Promise<void> {
  const { status, stderr } = await result;
  assert.equal(status, 5, stderr);
  for (const text of texts) assert.ok(stderr.includes(text), `${stderr}\nlacks ${text}`);
}

async function putRule(host: TestHost, scope: string, requirements: readonly object[]): Promise<void> {
  await output(host.exec(["mkdir", "-p", "/etc/gantry/trust.d", "/etc/gantry/trustedkeys/named.d"]));
  const rules = [{ scope, transport: "registry", requirements }];
  await host.put("/etc/gantry/trust.d/test.json", JSON.stringify({ version: 1, rules }));
}

/** Pushes with skopeo, which leaves its signature where a lookaside server would take it from. */
async function pushSigned({ host }: Signed, name: string, reference: string): Promise<void> {
  const layout = join(scratch, "layout");
  rmSync(layout, { recursive: true, force: true });
  const { digest } = writeOciLayout(layout, await manyLayerImage(2));
  const [repository = ""] = name.split(":");
  const place = join(LOOKASIDE, `${repository}@${digest.replace(":", "=")}`);
  mkdirSync(place, { recursive: true });
  const manifest = join(layout, "blobs", digest.replace(":", "/"));
  const words = ["standalone-sign", "--output", join(place, "signature-1"), manifest, reference, alice];
  execFileSync("skopeo", words, { env: { ...process.env, GNUPGHOME: ring.directory }, stdio: "ignore" });
  const copy = ["copy", "-q", "--insecure-policy", "--preserve-digests", "--dest-tls-verify=false"];
  await output(host.net(["skopeo", ...copy, `oci:${layout}`, `docker://${ADDRESS}:5000/${name}`]));
}

test("simple signing from a lookaside server: the right name, another one, and no signature", async (t) => {
  await withRegistry(t, "simple", async (signed) => {
    const { host, registry, name } = signed;
    await using web = await host.spawn(["python3", "-u", "-m", "http.server", "-d", scratch, "8000"], {
      side: "internet",
    });
    await web.until(/Serving HTTP/);
    await pushSigned(signed, "team/app:1", `${name}:1`);
    await assertRefused(fetch(host, `${name}:1`), `no rule and no key is for "${name}"`);
    await output(host.exec(["mkdir", "-p", `/etc/gantry/trustedkeys/prefix.d/${name}`]));
    await host.put(`/etc/gantry/trustedkeys/prefix.d/${name}/${alice}`, ring.export(alice));
    const id = await output(fetch(host, `${name}:1`));
    const { verdict } = JSON.parse(await output(host.exec(["gantry", "image", "inspect", id])));
    assert.deepEqual([verdict.kind, verdict.witnesses[0].identity], ["signed", `${name}:1`]);
    assert.equal(
      await output(host.exec(["gantry", "run", "--net=none", `${name}:1`, "--", "ls", "/layers"])),
      "2\ntop",
    );
    // The very image under a name that nobody signed it for.
    const copy = ["copy", "-q", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false"];
    const at = (path: string) => `docker://${ADDRESS}:5000/${path}`;
    await output(host.net(["skopeo", ...copy, at("team/app:1"), at("team/app:2")]));
    await assertRefused(fetch(host, `${name}:2`), `it is for ${name}:1, not for ${name}:2`);
    await output(host.net(["skopeo", ...copy, at("team/app:1"), at("team/application:1")]));
    await assertRefused(fetch(host, `${name}lication:1`), "no rule and no key");
    // A tag that moved to what nobody signed.
    await registry.push("team/app:1", await busyboxImage());
    await assertRefused(fetch(host, `${name}:1`), "carries no openpgp signature");
    // By its digest it is what was signed, whatever the tag means now.
    assert.equal(await output(fetch(host, `${name}@${id.replace("-", ":")}`)), id);
    await web[Symbol.asyncDispose]();
  });
});

type Upload = {
  readonly layout: string;
  readonly blobs: readonly Descriptor[];
  readonly document: Descriptor;
  readonly reference: string;
};

/** Puts a document and its blobs into the repository by the API itself: skopeo copies nothing but images. */
async function upload(host: TestHost, { layout, blobs, document, reference }: Upload): Promise<void> {
  const base = `http://${ADDRESS}:5000/v2/team/app`;
  for (const { digest } of blobs) {
    const script = `location=$(curl -sS -X POST -D - -o /dev/null ${base}/blobs/uploads/ | tr -d '\\r' | sed -n 's/^[Ll]ocation: //p')
      curl -sS --fail -X PUT -H 'Content-Type: application/octet-stream' --data-binary @${blobPath(layout, digest)} "$location&digest=${digest}"`;
    await output(host.net(["sh", "-ec", script]));
  }
  const type = ["-H", `Content-Type: ${document.mediaType}`];
  const bytes = ["--data-binary", `@${blobPath(layout, document.digest)}`];
  await output(
    host.net(["curl", "-sS", "--fail", "-X", "PUT", ...type, ...bytes, `${base}/manifests/${reference}`]),
  );
}

/** A signature as cosign leaves it: a manifest under a tag that is made of the digest. */
async function pushCosign(
  host: TestHost,
  digest: string,
  signatures: readonly (readonly [bytes: Buffer, text: string])[],
) {
  const layout = join(scratch, "cosign");
  rmSync(layout, { recursive: true, force: true });
  const config = addBlob(
    layout,
    "application/vnd.oci.image.config.v1+json",
    Buffer.from('{"architecture":"","os":"","rootfs":{"type":"layers","diff_ids":[]},"config":{}}'),
  );
  const layers = signatures.map(
    ([bytes, text]): Descriptor => ({
      ...addBlob(layout, "application/vnd.dev.cosign.simplesigning.v1+json", bytes),
      annotations: { "dev.cosignproject.cosign/signature": text },
    }),
  );
  const document = addManifest(layout, { config, layers });
  const reference = `${digest.replace(":", "-")}.sig`;
  await upload(host, { layout, blobs: [config, ...layers], document, reference });
}

test("cosign's signatures under the image's own tag, of the key that the rule names and of another", async (t) => {
  await withRegistry(t, "cosign", async ({ host, registry, name }) => {
    const id = await registry.push("team/app:1", await busyboxImage());
    const digest = id.replace("-", ":");
    const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const other = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const signed = (key: typeof pair, reference: string) => {
      const bytes = payload("cosign", digest, reference);
      return [bytes, sign("sha256", bytes, key.privateKey).toString("base64")] as const;
    };
    await putRule(host, registry.name, [{ kind: "cosign", keys: ["release.pem"] }]);
    await host.put(
      "/etc/gantry/trustedkeys/named.d/release.pem",
      Buffer.from(pair.publicKey.export({ type: "spki", format: "pem" })),
    );
    await assertRefused(fetch(host, `${name}:1`), "carries no cosign signature");
    await pushCosign(host, digest, [signed(other, name), signed(pair, `${registry.name}/team/other`)]);
    await assertRefused(
      fetch(host, `${name}:1`),
      "none of the keys trusted for this name made it",
      "team/other",
    );
    await pushCosign(host, digest, [signed(other, name), signed(pair, name)]);
    assert.equal(await output(fetch(host, `${name}:1`)), id);
    const { verdict } = JSON.parse(await output(host.exec(["gantry", "image", "inspect", id])));
    assert.deepEqual([verdict.kind, verdict.witnesses[0].identity], ["signed", name]);
    const ran = await host.exec(["gantry", "run", "--net=none", `${name}:1`, "--", "echo", "trusted"]);
    assert.deepEqual([ran.status, ran.stdout.trim()], [0, "trusted"], ran.stderr);
  });
});

/** Bundles over the manifest, listed where clients list referrers for a registry that does not. */
async function pushBundles(host: TestHost, manifest: Buffer, keys: readonly KeyObject[]): Promise<void> {
  const layout = join(scratch, "bundles");
  rmSync(layout, { recursive: true, force: true });
  const subject = { mediaType: MEDIA_TYPES.manifest, digest: digestOf(manifest), size: manifest.length };
  const config = addBlob(layout, "application/vnd.oci.empty.v1+json", Buffer.from("{}"));
  const manifests: (Descriptor & { readonly artifactType: string })[] = [];
  for (const key of keys) {
    const layers = [addBlob(layout, BUNDLE_TYPE, messageBundle(manifest, key))];
    const change = { artifactType: BUNDLE_TYPE, subject };
    const document = addManifest(layout, { config, layers, change });
    await upload(host, { layout, blobs: [config, ...layers], document, reference: document.digest });
    manifests.push({ ...document, artifactType: BUNDLE_TYPE });
  }
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests }));
  const document = addBlob(layout, MEDIA_TYPES.index, index);
  await upload(host, { layout, blobs: [], document, reference: subject.digest.replace(":", "-") });
}

test("sigstore bundles under the tag for referrers, of the key that the rule names and of another", async (t) => {
  await withRegistry(t, "bundles", async ({ host, registry, name }) => {
    const id = await registry.push("team/app:1", await busyboxImage());
    const accept = ["-H", `Accept: ${MEDIA_TYPES.manifest}`];
    const manifest = await host.net([
      "curl",
      "-sS",
      "--fail",
      ...accept,
      `http://${ADDRESS}:5000/v2/team/app/manifests/1`,
    ]);
    const bytes = Buffer.from(manifest.stdout);
    assert.equal(digestOf(bytes), id.replace("-", ":"));
    const [pair, other] = [1, 2].map(() => generateKeyPairSync("ec", { namedCurve: "prime256v1" }));
    assert.ok(pair !== undefined && other !== undefined);
    await putRule(host, registry.name, [{ kind: "sigstore-bundle", keys: ["release.pem"] }]);
    const pem = Buffer.from(pair.publicKey.export({ type: "spki", format: "pem" }));
    await host.put("/etc/gantry/trustedkeys/named.d/release.pem", pem);
    await assertRefused(fetch(host, `${name}:1`), "carries no sigstore-bundle");
    await pushBundles(host, bytes, [other.privateKey]);
    await assertRefused(fetch(host, `${name}:1`), "none of the keys trusted for this name made it");
    await pushBundles(host, bytes, [other.privateKey, pair.privateKey]);
    assert.equal(await output(fetch(host, `${name}:1`)), id);
    const { verdict } = JSON.parse(await output(host.exec(["gantry", "image", "inspect", id])));
    assert.deepEqual([verdict.kind, verdict.witnesses.length], ["signed", 1]);
    const ran = await host.exec(["gantry", "run", "--net=none", `${name}:1`, "--", "echo", "trusted"]);
    assert.deepEqual([ran.status, ran.stdout.trim()], [0, "trusted"], ran.stderr);
  });
});

/** Pushes one image for two platforms; gives the digests of its index and of what this machine runs. */
async function pushPlatforms(host: TestHost, name: string): Promise<{ index: string; own: string }> {
  const layout = join(scratch, "platforms");
  rmSync(layout, { recursive: true, force: true });
  const on = (image: Descriptor, architecture: string) => ({
    ...image,
    platform: { os: "linux", architecture },
  });
  const { architecture } = hostPlatform();
  const own = addImage(layout, await busyboxImage());
  const foreign = addImage(layout, await busyboxImage({ Cmd: ["/foreign"] }));
  const manifests = [on(foreign, architecture === "s390x" ? "amd64" : "s390x"), on(own, architecture)];
  const document = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests };
  const index = addBlob(layout, MEDIA_TYPES.index, Buffer.from(JSON.stringify(document)));
  writeIndex(layout, [index]);
  const copy = ["copy", "-q", "--all", "--insecure-policy", "--preserve-digests", "--dest-tls-verify=false"];
  await output(host.net(["skopeo", ...copy, `oci:${layout}`, `docker://${ADDRESS}:5000/${name}`]));
  return { index: index.digest, own: own.digest };
}

test("an image of several platforms, signed by cosign over its index, and proved again from what was kept", async (t) => {
  await withRegistry(t, "platforms", async ({ host, registry, name }) => {
    const { index, own } = await pushPlatforms(host, "team/app:1");
    const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const requirement = { kind: "cosign", keys: ["release.pem"] };
    await putRule(host, registry.name, [requirement]);
    const pem = Buffer.from(pair.publicKey.export({ type: "spki", format: "pem" }));
    await host.put("/etc/gantry/trustedkeys/named.d/release.pem", pem);
    await assertRefused(fetch(host, `${name}:1`), "carries no cosign signature");
    const bytes = payload("cosign", index, name);
    await pushCosign(host, index, [[bytes, sign("sha256", bytes, pair.privateKey).toString("base64")]]);
    const id = await output(fetch(host, `${name}:1`));
    assert.equal(id, own.replace(":", "-"));
    const { verdict } = JSON.parse(await output(host.exec(["gantry", "image", "inspect", id])));
    assert.deepEqual(
      [verdict.kind, verdict.witnesses[0].digest, verdict.indexes],
      ["signed", index, [index]],
    );
    assert.ok((await output(host.exec(["gantry", "trust", "explain", id]))).includes(` for ${index}: by `));
    // By its digest the manifest comes without the index, and nobody has signed it so.
    await assertRefused(fetch(host, `${name}@${own}`), "carries no cosign signature");
    await output(host.exec(["gantry", "image", "gc"]));
    // Another rule of the same sense: everything is judged again.
    await putRule(host, registry.name, [{ kind: "any", of: [requirement] }]);
    const run = () =>
      host.exec(["gantry", "run", "--net=none", "--pull-policy=never", `${name}:1`, "--", "echo", "ran"]);
    assert.equal(await output(run()), "ran");
    await output(host.exec(["rm", `/var/lib/gantry/blobs/${index.replace(":", "/")}`]));
    await putRule(host, registry.name, [requirement]);
    await assertRefused(run(), `"${name}:1"`, "the indexes that led to it are no proof", index.slice(7));
    const checked = await host.exec(["gantry", "image", "verify", id]);
    assert.notEqual(checked.status, 0);
    assert.ok(`${checked.stdout}${checked.stderr}`.includes(`blob ${index}`), checked.stdout);
  });
});

test("one image under two names runs by each for what that name's own rule says", async (t) => {
  await withRegistry(t, "names", async ({ host, registry }) => {
    const gantry = (...words: string[]) => output(host.exec(["gantry", ...words]));
    const run = (...words: string[]) => host.exec(["gantry", "run", "--net=none", ...words, "--", "true"]);
    const [dev, release] = [`${registry.name}/dev/app`, `${registry.name}/release/app`];
    const id = await registry.push("dev/app:1", await busyboxImage());
    assert.equal(await registry.push("release/app:1", await busyboxImage()), id);
    await output(host.exec(["mkdir", "-p", `/etc/gantry/trustedkeys/prefix.d/${release}`]));
    await host.put(`/etc/gantry/trustedkeys/prefix.d/${release}/${alice}`, ring.export(alice));
    await gantry("trust", "add", `--prefix=${dev}`, "--accept-unsigned");
    await gantry("fetch", "--insecure-options=image", `docker://${release}:1`);
    await gantry("fetch", `docker://${dev}:1`);

    const [listed] = JSON.parse(await gantry("image", "list", "--format=json"));
    assert.deepEqual([...listed.names].sort(), [`${dev}:1`, `${release}:1`]);
    assert.match(
      await gantry("image", "list"),
      new RegExp(`${dev}:1,${release}:1 .* unsigned,insecure$`, "m"),
    );
    for (const policy of ["new", "never"]) {
      await assertRefused(
        run(`--pull-policy=${policy}`, `docker://${release}:1`),
        `${release}:1`,
        "without a signature",
      );
      await output(run(`--pull-policy=${policy}`, `docker://${dev}:1`));
    }
    await output(run(id));
    assert.match(await gantry("trust", "explain", `${dev}:1`), /^verdict now: trusted \(unsigned\)/m);
    assert.match(
      await gantry("trust", "explain", `${release}:1`),
      /^verdict now: not trusted: it was taken without/m,
    );

    await output(host.exec(["rm", "-r", "/etc/gantry/trustedkeys"]));
    await gantry("trust", "add", `--digest=${id.replace("-", ":")}`, release);
    await gantry("fetch", `docker://${release}:1`);
    await gantry("prepare", "--net=none", "--name=dev", `docker://${dev}:1`, "--", "true");
    await gantry("prepare", "--net=none", "--name=release", `docker://${release}:1`, "--", "true");
    await gantry(
      "prepare",
      "--net=none",
      "--name=both",
      `docker://${dev}:1`,
      "--name=a",
      "---",
      `docker://${release}:1`,
      "--name=b",
    );
    const told = await gantry("trust", "rm", release);
    assert.match(told, new RegExp(`^image "${release}:1`, "m"));
    assert.doesNotMatch(told, new RegExp(`^image "${dev}:1|^pod "dev"`, "m"));
    for (const pod of ["release", "both"]) {
      assert.match(told, new RegExp(`^pod "${pod}" .*refused`, "m"));
      await assertRefused(host.exec(["gantry", "start", pod]), `"${release}:1" is not trusted`);
    }
    await gantry("start", "dev");
    await assertRefused(run(`docker://${release}:1`), `"${release}:1" is not trusted`);
    await output(run(`docker://${dev}:1`));
  });
});
