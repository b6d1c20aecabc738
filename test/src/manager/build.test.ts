/** Directories as images, signed by the real tools' keys and checked by the real tools. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openDirectory } from "../../../src/image/layout.ts";
import { signaturesInLayout } from "../../../src/image/layout-signatures.ts";
import { type Build, buildImage } from "../../../src/manager/build.ts";
import { fetchImage } from "../../../src/manager/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { newStore, TOOLS } from "../../fixtures/store.ts";

const scratch = mkdtempSync(join(tmpdir(), "gantry-build-"));
const GNUPGHOME = join(scratch, "gnupg");
const environment = { GNUPGHOME, PATH: process.env["PATH"] };
after(() => {
  spawnQuietly("gpgconf", ["--kill", "all"]);
  rmSync(scratch, { recursive: true, force: true });
});

function spawnQuietly(program: string, args: readonly string[]): string {
  return execFileSync(program, args, {
    env: environment,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function makeKey(): string {
  mkdirSync(GNUPGHOME, { mode: 0o700, recursive: true });
  spawnQuietly("gpg", [
    "--batch",
    "--passphrase",
    "",
    "--quick-gen-key",
    "builder@example.com",
    "ed25519",
    "sign",
    "never",
  ]);
  const listing = spawnQuietly("gpg", ["--list-keys", "--with-colons"]);
  return /^fpr:+([0-9A-F]{40}):/m.exec(listing)?.[1] ?? "";
}

function makeRootfs(): string {
  const rootfs = mkdtempSync(join(scratch, "rootfs-"));
  execFileSync(
    "sh",
    [
      "-ec",
      "mkdir bin etc; cp /bin/busybox bin/sh; echo 'web:x:7:8::/:/bin/sh' >etc/passwd; chown -R 1000:1000 .",
    ],
    {
      cwd: rootfs,
    },
  );
  return rootfs;
}

const key = makeKey();
const rootfs = makeRootfs();
let outputs = 0;

function build(more: Partial<Build>) {
  outputs += 1;
  const output = join(scratch, `out-${outputs}.${more.format === "oci" ? "tar" : "aci"}`);
  const request = {
    rootfs,
    output,
    format: "aci",
    compression: "gzip",
    overwrite: false,
    environment,
  } as const;
  return buildImage({ paths: { data: "", run: "", libexec: "" }, tools: TOOLS }, { ...request, ...more });
}

function writeManifest(value: unknown): string {
  const path = join(mkdtempSync(join(scratch, "manifest-")), "manifest.json");
  writeFileSync(path, JSON.stringify(value));
  return path;
}

const APP = { exec: ["/bin/sh"], user: "web", group: "8" };

test("an ACI is built, signed by the caller's gpg, and imported", async () => {
  const manifest = writeManifest({ acKind: "ImageManifest", acVersion: "0.8.11", name: "x/y", app: APP });
  const { files, digest } = await build({
    manifest,
    name: "example.com/app:1.2",
    signKey: key,
    owner: "0:0",
  });
  const [aci = "", signature = ""] = files;
  assert.equal(signature, `${aci}.asc`);
  assert.match(readFileSync(signature, "utf8"), /^-----BEGIN PGP SIGNATURE-----/);
  spawnQuietly("gpg", ["--verify", signature, aci]);
  const owners = execFileSync("tar", ["tzvf", aci, "--numeric-owner"], { encoding: "utf8" });
  assert.ok(!owners.includes("1000/1000"), owners);
  using store = newStore();
  const record = await fetchImage(store.manager, { source: aci, insecureOptions: ["image"], uid: 0 });
  assert.deepEqual([record.names, record.digest, record.app.user], [["example.com/app:1.2"], digest, "web"]);
  assert.deepEqual(
    readdirSync(scratch).filter((name) => name.startsWith(".")),
    [],
  );
});

test("an OCI archive is signed as cosign does: openssl and our own reader agree", async () => {
  const file = join(scratch, "key.pem");
  for (const [name, make] of [
    ["EC", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]],
    ["RSA", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]],
  ] as const) {
    execFileSync("openssl", [...make, "-out", file], { stdio: "ignore" });
    chmodSync(file, 0o600);
    const { files, digest } = await build({ format: "oci", name: "r.example/app:1", signKey: file });
    const layout = mkdtempSync(join(scratch, "layout-"));
    execFileSync("tar", ["xf", files[0] ?? "", "-C", layout]);
    const [signature] = await signaturesInLayout(openDirectory(layout), [digest]);
    assert.equal(signature?.kind, "cosign", name);
    const payload = join(layout, "blobs", signature.payload.replace(":", "/"));
    const critical = JSON.parse(readFileSync(payload, "utf8")).critical;
    assert.deepEqual(critical, {
      identity: { "docker-reference": "r.example/app" },
      image: { "docker-manifest-digest": digest },
      type: "cosign container image signature",
    });
    writeFileSync(join(layout, "sig"), Buffer.from(signature.signature, "base64"));
    execFileSync("openssl", ["pkey", "-in", file, "-pubout", "-out", join(layout, "pub")]);
    const verified = [
      "dgst",
      "-sha256",
      "-verify",
      join(layout, "pub"),
      "-signature",
      join(layout, "sig"),
      payload,
    ];
    assert.match(execFileSync("openssl", verified, { encoding: "utf8" }), /Verified OK/);
    using store = newStore();
    const request = { source: `oci-archive:${files[0]}`, insecureOptions: ["image"] as const, uid: 0 };
    assert.deepEqual((await fetchImage(store.manager, request)).names, ["r.example/app:1"]);
  }
});

test("an OCI archive is signed by gpg with a simple signature that skopeo verifies", async () => {
  const { files, digest } = await build({ format: "oci", name: "r.example/app:1", signKey: key });
  const [archive = "", signature = ""] = files;
  assert.equal(signature, `${archive}.sig`);
  const layout = mkdtempSync(join(scratch, "layout-"));
  execFileSync("tar", ["xf", archive, "-C", layout]);
  const manifest = join(layout, "blobs", digest.replace(":", "/"));
  const said = spawnQuietly("skopeo", ["standalone-verify", manifest, "r.example/app:1", key, signature]);
  assert.match(said, /Signature verified/);
});

test("an appc manifest says what an OCI image runs, and an OCI configuration is taken as it is", async () => {
  const appc = writeManifest({
    acKind: "ImageManifest",
    acVersion: "0.8.11",
    name: "example.com/app",
    app: APP,
  });
  const oci = writeManifest({ config: { Entrypoint: ["/bin/sh"], User: "web" } });
  for (const [manifest, name, user] of [
    [appc, undefined, "web:8"],
    [oci, "example.com/app", "web"],
  ] as const) {
    const { files } = await build({ format: "oci", manifest, name });
    using store = newStore();
    const request = { source: `oci-archive:${files[0]}`, insecureOptions: ["image"] as const, uid: 0 };
    const record = await fetchImage(store.manager, request);
    assert.deepEqual([record.app.entrypoint, record.app.user], [["/bin/sh"], user]);
    assert.match(record.names[0] ?? "", /^example\.com\/app/);
  }
});

test("the same directory makes the same bytes", async () => {
  const images = [await build({ name: "a/b" }), await build({ name: "a/b" })];
  const [one, other] = images.map(({ files }) => readFileSync(files[0] ?? ""));
  assert.ok(one !== undefined && other !== undefined && one.equals(other));
});

test("what is wrong with a name, manifest, key or output is told, and nothing is written", async () => {
  const before = readdirSync(scratch).sort();
  const open = join(scratch, "gnupg", "open.pem");
  writeFileSync(open, "x", { mode: 0o644 });
  const garbage = join(scratch, "gnupg", "garbage.pem");
  writeFileSync(garbage, "x", { mode: 0o600 });
  const broken = join(scratch, "gnupg", "broken.json");
  writeFileSync(broken, "{");
  const cases: readonly (readonly [Partial<Build>, ReturnType<typeof refusal>])[] = [
    [{}, refusal("Usage", 2, "--name or --manifest")],
    [{ name: "UPPER" }, refusal("BadReference", 2, '"UPPER"')],
    [{ manifest: broken }, refusal("BadImage", 1, "broken.json", "not valid JSON")],
    [{ manifest: join(scratch, "none") }, refusal("Usage", 2, "there is no manifest", "none")],
    [{ name: "a/b", signKey: open }, refusal("BadConfig", 1, "open.pem", "chmod 600")],
    [
      { name: "a/b", signKey: garbage, format: "oci" },
      refusal("BadConfig", 1, "garbage.pem", "no private key"),
    ],
    [{ name: "a/b", signKey: "/no/such.pem" }, refusal("BadConfig", 1, "/no/such.pem")],
    [{ name: "a/b", signKey: "nobody@example.com" }, refusal("AccessDenied", 6, "nobody@example.com")],
    [{ format: "oci", signKey: "x@example.com" }, refusal("Usage", 2, "--name")],
    [{ name: "a/b", rootfs: "/no/where" }, refusal("Usage", 2, "/no/where")],
    [{ name: "a/b", output: join(scratch, "gnupg") }, refusal("FileExists", 1, "gnupg")],
    [
      // Beside the output somebody else may rule, who must not exchange what is being signed.
      { name: "a/b", environment: { ...environment, TMPDIR: "/no/place" } },
      refusal("AccessDenied", 6, '"/no/place"'),
    ],
    [{ name: "a/b", output: "/no/where/x.aci" }, refusal("AccessDenied", 6, "/no/where")],
  ];
  for (const [more, expected] of cases) await assert.rejects(build(more), expected, JSON.stringify(more));
  assert.deepEqual(readdirSync(scratch).sort(), before);
  assert.ok(existsSync(open));
});
