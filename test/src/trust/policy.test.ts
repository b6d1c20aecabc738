import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { test } from "node:test";
import { readPolicy, ruleFor } from "../../../src/trust/policy.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { newTrust } from "../../fixtures/trust.ts";

const UNSIGNED = [{ kind: "unsigned" }];
const REJECT = [{ kind: "reject" }];
const rules = (...of: object[]) => ({ version: 1, rules: of });
const image = (name: string, transport: "appc" | "registry" | "file" = "registry") => ({
  transport,
  name,
  reference: `${name}:1`,
});

test("a file of the same name masks those behind it; empty ones and links to /dev/null mask and say nothing", async () => {
  using trust = newTrust();
  trust.put("lib", "trust.d/a.json", rules({ scope: "a.example", requirements: UNSIGNED }));
  trust.put("lib", "trust.d/b.json", rules({ scope: "b.example", requirements: UNSIGNED }));
  trust.put("lib", "trust.d/c.json", rules({ scope: "c.example", requirements: UNSIGNED }));
  trust.put("lib", "trust.d/notes.txt", "no policy");
  trust.put("etc", "trust.d/a.json", rules({ scope: "x.example", requirements: REJECT }));
  trust.put("run", "trust.d/b.json", "");
  trust.link("etc", "trust.d/c.json", "/dev/null");
  const policy = await readPolicy(trust.roots);
  assert.deepEqual(
    policy.rules.map(({ scope }) => scope),
    ["x.example"],
  );
});

test("the most specific rule decides, then one for the transport, then the administrator's", async () => {
  using trust = newTrust();
  const everywhere = { scope: "*", requirements: REJECT };
  trust.put(
    "lib",
    "trust.d/50-vendor.json",
    rules(everywhere, { scope: "r.example/a", requirements: REJECT }),
  );
  trust.put(
    "etc",
    "trust.d/90-local.json",
    rules(
      { scope: "r.example/a", requirements: UNSIGNED },
      { scope: "r.example", transport: "registry", requirements: UNSIGNED },
      { scope: "R.example/", requirements: REJECT },
    ),
  );
  const policy = await readPolicy(trust.roots);
  const decide = (name: string, transport: "appc" | "registry" = "registry") => {
    const rule = ruleFor(policy, image(name, transport));
    return [rule?.file.split("/").at(-1), rule?.scope, rule?.transport];
  };
  assert.deepEqual(decide("r.example/a/b"), ["90-local.json", "r.example/a", undefined]);
  assert.deepEqual(decide("r.example/ab"), ["90-local.json", "r.example", "registry"]);
  assert.deepEqual(decide("r.example/ab", "appc"), ["90-local.json", "r.example", undefined]);
  assert.deepEqual(decide("s.example/a"), ["50-vendor.json", "*", undefined]);
});

test("a rule for a transport goes before the others of its own scope, and before none of a more specific one", async () => {
  using trust = newTrust();
  trust.put(
    "etc",
    "trust.d/a.json",
    rules(
      { scope: "*", transport: "registry", requirements: UNSIGNED },
      { scope: "*.evil.example", requirements: REJECT },
      { scope: "*.com", transport: "registry", requirements: UNSIGNED },
      { scope: "*.corp.com", requirements: REJECT },
      { scope: "*.corp.com", transport: "file", requirements: UNSIGNED },
    ),
  );
  const policy = await readPolicy(trust.roots);
  const decide = (name: string, transport: "registry" | "file" = "registry") => {
    const rule = ruleFor(policy, image(name, transport));
    return [rule?.scope, rule?.transport];
  };
  assert.deepEqual(decide("a.evil.example/x"), ["*.evil.example", undefined]);
  assert.deepEqual(decide("a.corp.com/x"), ["*.corp.com", undefined]);
  assert.deepEqual(decide("a.corp.com/x", "file"), ["*.corp.com", "file"]);
  assert.deepEqual(decide("a.com/x"), ["*.com", "registry"]);
  assert.deepEqual(decide("b.example/x"), ["*", "registry"]);
});

test("what is wrong is told by file and key", async () => {
  const scope = "r.example";
  const wrong: readonly [content: object | string, ...texts: string[]][] = [
    ["{", "is not JSON"],
    [{ version: 2 }, '"version"'],
    [rules({ scope, requirements: UNSIGNED, extra: 1 }), '"rules.0"', "extra"],
    [rules({ scope, requirements: [] }), '"rules.0.requirements"'],
    [rules({ scope, requirements: [{ kind: "sigstore" }] }), '"rules.0.requirements.0'],
    [
      rules({ scope, requirements: [{ kind: "openpgp", keys: ["../../etc/passwd"] }] }),
      "trustedkeys/named.d",
    ],
    [
      rules({ scope, requirements: [{ kind: "digests", digests: ["sha256:12"] }] }),
      '"rules.0.requirements.0.digests.0"',
    ],
    [rules({ scope: "r.example/*", requirements: UNSIGNED }), '"rules.0.scope"', "r.example/*"],
    [rules({ scope, transport: "docker", requirements: UNSIGNED }), '"rules.0.transport"'],
    [rules({ scope, requirements: UNSIGNED }, { scope, requirements: REJECT }), "twice", scope],
    [{ version: 1, consents: [{ name: "a", digest: "sha256:1", time: 1, uid: 0 }] }, '"consents.0.digest"'],
  ];
  for (const [content, ...texts] of wrong) {
    using trust = newTrust();
    const path = trust.put("etc", "trust.d/a.json", content);
    await assert.rejects(
      readPolicy(trust.roots),
      refusal("BadConfig", 1, path, ...texts),
      JSON.stringify(content),
    );
  }
});

test("files that others could have written, or that are none, decide nothing", async () => {
  using trust = newTrust();
  const path = trust.put("etc", "trust.d/a.json", rules());
  chmodSync(path, 0o666);
  await assert.rejects(readPolicy(trust.roots), refusal("BadConfig", 1, path, "written by everybody"));
  chmodSync(path, 0o644);
  await readPolicy(trust.roots);
  trust.link("etc", "trust.d/b.json", path);
  await assert.rejects(readPolicy(trust.roots), refusal("BadConfig", 1, "b.json", "symbolic link"));
  using large = newTrust();
  large.put("etc", "trust.d/a.json", `{"version":1}${" ".repeat(2 ** 20)}`);
  await assert.rejects(readPolicy(large.roots), refusal("BadConfig", 1, "a.json", "the limit is 1048576"));
});
