/** Keystores of rkt and the policy of containers' tools, as rules and keys of ours. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { convertPolicy, convertRegistries } from "../../../src/trust/containers-policy.ts";
import { judgeBy } from "../../../src/trust/judge.ts";
import { addKey, keysFor, listKeys, removeKey } from "../../../src/trust/keystore.ts";
import { readRktKeys } from "../../../src/trust/rkt-keystore.ts";
import { newKeyring } from "../../fixtures/gpg.ts";
import { digestOf } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { judgeRequest, newTrust, payload } from "../../fixtures/trust.ts";

const ring = newKeyring();
after(() => ring[Symbol.dispose]());
const alice = ring.generate("Alice <alice@example.com>");
const bob = ring.generate("Bob <bob@example.com>");

test("rkt's keystores: both trees, masks, the first key of a file, and names that lie", async () => {
  using trust = newTrust();
  const root = (name: string) => join(trust.directory, "rkt", name);
  const put = (path: string, content: Buffer | string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  };
  put(join(root("usr"), "trustedkeys/root.d", alice), ring.export(alice));
  put(join(root("usr"), "trustedkeys/prefix.d/example.com", bob), ring.export(bob));
  put(join(root("etc"), "trustedkeys/prefix.d/example.com", bob), "");
  const both = Buffer.concat([ring.export(bob), ring.export(alice)]);
  put(join(root("etc"), "trustedkeys/prefix.d/example.com/app", bob), both);
  put(join(root("etc"), "trustedkeys/root.d", bob), ring.export(alice));
  const { keys, notes } = await readRktKeys([root("etc"), root("usr")], trust.verifier);
  assert.deepEqual(
    keys.map(({ place, name }) => [place.kind === "prefix" ? place.prefix : place.kind, name]),
    [
      ["root", alice],
      ["example.com/app", bob],
    ],
  );
  assert.equal(notes.length, 2);
  assert.match(notes[0] ?? "", new RegExp(`root.d/${bob} is left out: fingerprint mismatch`));
  assert.match(notes[1] ?? "", /only its first key/);
  // What is written is found again, and vouches only for what the first key signed.
  for (const key of keys) await addKey(trust.roots[0] ?? "", key);
  assert.deepEqual(
    (await keysFor(trust.roots, "example.com/app")).map(({ fingerprint }) => fingerprint),
    [alice, bob],
  );
});

test("keys are listed, removed, and masked where a vendor has them", async () => {
  using trust = newTrust();
  const place = { kind: "prefix", prefix: "example.com/a" } as const;
  trust.put("lib", `trustedkeys/prefix.d/example.com/a/${alice}`, ring.export(alice));
  await addKey(trust.roots[0] ?? "", { place, name: bob, content: ring.export(bob).toString() });
  const names = async () => (await listKeys(trust.roots)).map(({ name, masked }) => [name, masked]);
  assert.deepEqual(
    (await names()).sort(),
    [
      [alice, false],
      [bob, false],
    ].sort(),
  );
  assert.equal(
    await removeKey(trust.roots, { place, name: bob }),
    join(trust.directory, "etc/trustedkeys/prefix.d/example.com/a", bob),
  );
  assert.match((await removeKey(trust.roots, { place, name: alice })) ?? "", /etc\/trustedkeys/);
  assert.deepEqual(await names(), [[alice, true]]);
  assert.deepEqual(await keysFor(trust.roots, "example.com/a"), []);
  assert.equal(await removeKey(trust.roots, { place, name: alice }), undefined);
});

async function convert(policy: object) {
  const files: Record<string, Buffer> = { "/etc/pki/release key.asc": ring.export(alice) };
  return await convertPolicy(
    Buffer.from(JSON.stringify(policy)),
    "/etc/containers/policy.json",
    async (path) => files[path] ?? Buffer.from("?"),
  );
}

const GPG = { type: "signedBy", keyType: "GPGKeys", keyPath: "/etc/pki/release key.asc" };

test("a policy of containers' tools becomes rules that judge as it did", async () => {
  const remap = { type: "remapIdentity", prefix: "mirror.example", signedPrefix: "docker.io" };
  const { policy, keys, notes } = await convert({
    default: [{ type: "reject" }],
    transports: {
      docker: {
        "docker.io/library": [GPG],
        "mirror.example": [{ ...GPG, signedIdentity: remap }],
        "open.example": [{ type: "insecureAcceptAnything" }],
        "*.wild.example": [{ type: "sigstoreSigned", keyData: Buffer.from("k").toString("base64") }],
        "r.example/app:1": [
          { ...GPG, signedIdentity: { type: "exactReference", dockerReference: "a.example/b:1" } },
        ],
        busybox: [{ type: "insecureAcceptAnything" }],
        "[::1]:5000/foo": [{ type: "reject" }],
        "": [{ type: "reject" }],
      },
      "docker-daemon": { "": [{ type: "insecureAcceptAnything" }] },
      oci: { "": [{ type: "insecureAcceptAnything" }], "/srv/images": [{ type: "reject" }] },
    },
  });
  const [name = ""] = keys.map((key) => key.name);
  assert.match(name, /^release-key.asc-[0-9a-f]{12}$/);
  assert.deepEqual(
    policy.rules.map(({ scope, transport, requirements }) => [scope, transport, requirements[0]?.kind]),
    [
      ["*", undefined, "reject"],
      ["docker.io/library", "registry", "openpgp"],
      ["mirror.example", "registry", "openpgp"],
      ["open.example", "registry", "unsigned"],
      ["*.wild.example", "registry", "cosign"],
      ["r.example/app:1", "registry", "openpgp"],
      ["[::1]:5000/foo", "registry", "reject"],
      ["*", "registry", "reject"],
      ["*", "file", "reject"],
    ],
  );
  assert.deepEqual(policy.rules[2]?.requirements, [{ kind: "openpgp", keys: [name], identity: remap }]);
  assert.deepEqual(policy.rules[5]?.requirements, [
    { kind: "openpgp", keys: [name], identity: { type: "exactReference", reference: "a.example/b:1" } },
  ]);
  assert.deepEqual(
    notes.map((note) => note.replace(/ is left out.*|:.*/, "")),
    ["transports.docker.busybox", 'transports.docker-daemon.""', "images from files are rejected"],
  );
  // Judged by it.
  using trust = newTrust();
  trust.put("etc", "trust.d/containers.json", policy);
  for (const key of keys) trust.put("etc", `trustedkeys/named.d/${key.name}`, key.content);
  const digest = `sha256:${"d".repeat(64)}`;
  const busybox = { name: "docker.io/library/busybox", reference: "docker.io/library/busybox:1" };
  const signed = (reference: string) => {
    const blob = ring.sign(payload("atomic", digest, reference), { keys: [alice], form: "inline" });
    return { signature: { kind: "simple-signing" as const, signature: digestOf(blob) }, blob };
  };
  const judge = (subject: object, reference: string) =>
    judgeBy(trust)(judgeRequest(subject, [signed(reference)]));
  assert.equal((await judge(busybox, busybox.reference)).verdict.kind, "signed");
  const mirrored = { name: "mirror.example/library/busybox", reference: "mirror.example/library/busybox:1" };
  assert.equal((await judge(mirrored, busybox.reference)).verdict.kind, "signed");
  await assert.rejects(judge(mirrored, mirrored.reference), refusal("NotTrusted", 5, mirrored.reference));
  await assert.rejects(
    judge({ name: "x.example/a", reference: "x.example/a:1" }, "x.example/a:1"),
    refusal("NotTrusted", 5, "rejects"),
  );
});

test("what can't be said becomes stricter, and what is wrong is refused by its key", async () => {
  const keyless = await convert({ default: [{ type: "sigstoreSigned", fulcio: { caPath: "/x" } }] });
  assert.deepEqual(keyless.policy.rules[0]?.requirements, [{ kind: "reject" }]);
  assert.match(keyless.notes[0] ?? "", /default rejects: only signatures by keys/);
  const kinds = await convert({
    default: [{ type: "insecureAcceptAnything" }],
    transports: { oci: { "": [{ type: "reject" }] } },
  });
  assert.deepEqual(
    kinds.policy.rules.map(({ scope, transport, requirements }) => [scope, transport, requirements[0]?.kind]),
    [
      ["*", undefined, "unsigned"],
      ["*", "file", "reject"],
    ],
  );
  // Gantry has one word for all kinds of files, and no paths: what only some of them accept is not accepted.
  const [accept, reject] = [[{ type: "insecureAcceptAnything" }], [{ type: "reject" }]];
  const all = { "oci-archive": { "": accept }, "docker-archive": { "": accept } };
  const files: readonly [fallback: object, transports: object, file: string | undefined, notes: number][] = [
    [reject, { dir: { "": accept } }, undefined, 1],
    [reject, { oci: { "": accept } }, "reject", 1],
    [reject, { oci: { "": accept }, ...all }, "reject", 1],
    [accept, { oci: { "": accept, "/srv/images": reject }, ...all }, "reject", 1],
    [accept, { oci: { "": accept, "/srv/images": accept }, ...all }, "unsigned", 0],
    [accept, {}, "unsigned", 0],
    [reject, { oci: { "": reject } }, undefined, 0],
  ];
  for (const [fallback, transports, file, notes] of files) {
    const converted = await convert({ default: fallback, transports });
    const rule = converted.policy.rules.find(({ transport }) => transport === "file");
    const found = [rule?.requirements[0]?.kind, converted.notes.length];
    assert.deepEqual(found, [file, notes], JSON.stringify([fallback, transports]));
  }
  const twice = await convert({
    default: reject,
    transports: { docker: { "r.example": accept, "R.example": reject } },
  });
  assert.deepEqual(twice.policy.rules[1]?.requirements, [{ kind: "reject" }]);
  assert.match(twice.notes[0] ?? "", /^images of r\.example are rejected: .*different rules/);
  const wrong: readonly [policy: object, text: string][] = [
    [{}, '"default"'],
    [{ default: [] }, '"default"'],
    [{ default: [{ type: "signedby" }] }, '"default.0'],
    [
      { default: [{ type: "reject" }], transports: { docker: { a: [{ type: "signedBy", keyType: "X" }] } } },
      "transports.docker.a.0",
    ],
    [{ default: [{ type: "reject" }], extra: 1 }, "policy.json"],
  ];
  for (const [policy, text] of wrong) {
    await assert.rejects(convert(policy), refusal("BadConfig", 1, "/etc/containers/policy.json", text));
  }
});

test("lookaside servers of registries.d, with what is no server told", () => {
  const text = [
    "default-docker:",
    "  sigstore: file:///var/lib/containers/sigstore",
    "docker:",
    "  registry.example:",
    "    lookaside: https://signatures.example/sigstore",
    "  other.example/ns:",
    "    sigstore: https://old.example",
    "  local.example:",
    "    lookaside: file:///srv",
    "  none.example:",
    "    use-sigstore-attachments: true",
  ].join("\n");
  const { lookasides, notes } = convertRegistries(text, "/etc/containers/registries.d/a.yaml");
  assert.deepEqual(lookasides, [
    { prefix: "registry.example", lookaside: ["https://signatures.example/sigstore"] },
    { prefix: "other.example/ns", lookaside: ["https://old.example"] },
  ]);
  assert.equal(notes.length, 2);
  for (const wrong of ["docker: [", "docker: 5", "a: &a [x]\nb: [*a, *a, *a]\ndocker: *a"]) {
    assert.throws(
      () => convertRegistries(wrong, "/etc/x.yaml"),
      refusal("BadConfig", 1, "/etc/x.yaml"),
      wrong,
    );
  }
});
