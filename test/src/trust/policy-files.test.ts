/** Files of trust.d that commands write: one for each rule and consent, and nothing of what people wrote. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { readPolicy } from "../../../src/trust/policy.ts";
import { removeScope, writeConsent, writeRule } from "../../../src/trust/policy-files.ts";
import type { Rule } from "../../../src/trust/rule.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { DIGEST, newTrust } from "../../fixtures/trust.ts";

const reject = (scope: string, more: Partial<Rule> = {}): Rule => ({
  ...{ scope, requirements: [{ kind: "reject" }] },
  ...more,
});

test("a rule is a file of its own, and takes the place of the one written before", async () => {
  using trust = newTrust();
  const etc = join(trust.directory, "etc");
  const write = async (rule: Rule) => await writeRule(etc, await readPolicy(trust.roots), rule);
  const path = await write(reject("example.com/foo"));
  assert.equal(path, join(etc, "trust.d/example.com%2Ffoo.json"));
  assert.equal(await write({ ...reject("example.com/foo"), requirements: [{ kind: "unsigned" }] }), path);
  assert.equal(
    basename(await write(reject("example.com/foo", { transport: "file" }))),
    "example.com%2Ffoo.file.json",
  );
  assert.equal(basename(await write(reject("*"))), "%2A.json");
  const long = await write(reject(`example.com/${"a/".repeat(120)}b`));
  assert.match(basename(long), /^sha256-[0-9a-f]{64}\.json$/);
  const { rules } = await readPolicy(trust.roots);
  const found = rules.map((rule) => `${rule.scope} ${rule.transport ?? "any"} ${rule.requirements[0]?.kind}`);
  assert.deepEqual(found.filter((line) => line.length < 50).sort(), [
    "* any reject",
    "example.com/foo any unsigned",
    "example.com/foo file reject",
  ]);
});

test("what a hand or a vendor wrote is neither replaced nor removed", async () => {
  using trust = newTrust();
  const etc = join(trust.directory, "etc");
  const own = trust.put("etc", "trust.d/mine.json", { version: 1, rules: [reject("example.com")] });
  const policy = await readPolicy(trust.roots);
  await assert.rejects(
    writeRule(etc, policy, reject("example.com")),
    refusal("BadConfig", 1, own, '"example.com"', "edit it there"),
  );
  await assert.rejects(
    removeScope(etc, policy, "example.com"),
    refusal("BadConfig", 1, own, "remove it there"),
  );
  const vendor = trust.put("lib", "trust.d/vendor.json", { version: 1, rules: [reject("vendor.example")] });
  await assert.rejects(
    removeScope(etc, await readPolicy(trust.roots), "vendor.example"),
    refusal("BadConfig", 1, vendor, "masks it"),
  );
  assert.ok(existsSync(own) && existsSync(vendor));
});

test("a scope's rules and consents are removed together, and no other's", async () => {
  using trust = newTrust();
  const etc = join(trust.directory, "etc");
  const consent = { digest: DIGEST, time: 1, uid: 0 };
  const paths = [
    await writeRule(etc, await readPolicy(trust.roots), reject("example.com/foo")),
    await writeConsent(etc, { name: "example.com/foo", ...consent }),
    await writeConsent(etc, { name: "example.com/foo", ...consent, digest: DIGEST.replaceAll("d", "e") }),
  ];
  const other = await writeConsent(etc, { name: "example.com/foobar", ...consent });
  assert.equal(new Set(paths).size, 3);
  const policy = await readPolicy(trust.roots);
  assert.deepEqual((await removeScope(etc, policy, "example.com/foo")).sort(), [...paths].sort());
  assert.deepEqual(await removeScope(etc, await readPolicy(trust.roots), "example.com/foo"), []);
  assert.ok(existsSync(other));
  assert.equal(JSON.parse(readFileSync(other, "utf8")).consents[0].name, "example.com/foobar");
  writeFileSync(other, "");
  assert.deepEqual((await readPolicy(trust.roots)).consents, []);
});
