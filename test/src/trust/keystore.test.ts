/** The keystore's directories: what counts is what lies in them, and what they lead to elsewhere is refused. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { addKey, keysFor, listKeys, namedKeys } from "../../../src/trust/keystore.ts";
import { readPolicy } from "../../../src/trust/policy.ts";
import { refusal } from "../../fixtures/refusal.ts";

const KEY = "a".repeat(40);
const NAME = "example.com/app";
const RULE = { scope: NAME, requirements: [{ kind: "reject" }] };

/** A configuration that is reached by a link itself, which is nobody's business here. */
function withRoot(body: (root: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const directory = mkdtempSync(join(tmpdir(), "gantry-keystore-"));
    const root = join(directory, "etc");
    const put = (path: string, text: string) => {
      mkdirSync(dirname(join(directory, "real", path)), { recursive: true });
      writeFileSync(join(directory, "real", path), text);
    };
    put("trust.d/a.json", JSON.stringify({ version: 1, rules: [RULE] }));
    for (const place of ["root.d", "prefix.d/example.com/app", "named.d"])
      put(`trustedkeys/${place}/${KEY}`, "key");
    symlinkSync(join(directory, "real"), root);
    try {
      await body(root);
    } finally {
      rmSync(directory, { recursive: true });
    }
  };
}

/** The generation of trust does not look behind links: who could change what lies there would not be noticed. */
function moveAway(root: string, path: string): string {
  const elsewhere = join(dirname(root), "elsewhere");
  renameSync(join(root, path), elsewhere);
  symlinkSync(elsewhere, join(root, path));
  return path;
}

for (const path of [
  "trustedkeys",
  "trustedkeys/root.d",
  "trustedkeys/prefix.d",
  "trustedkeys/prefix.d/example.com",
  "trustedkeys/prefix.d/example.com/app",
]) {
  test(
    `keys behind a link at ${path} are refused`,
    withRoot(async (root) => {
      assert.equal((await keysFor([root], NAME)).length, 1);
      moveAway(root, path);
      const refused = refusal("BadConfig", 1, join(root, path), "symbolic link");
      await assert.rejects(keysFor([root], NAME), refused);
      await assert.rejects(listKeys([root]), refused);
    }),
  );
}

test(
  "named keys and rules behind a link are refused, and no key is written there",
  withRoot(async (root) => {
    assert.equal((await namedKeys([root], [KEY], "a rule")).length, 1);
    assert.equal((await readPolicy([root])).rules.length, 1);
    const refused = (path: string) => refusal("BadConfig", 1, join(root, path), "symbolic link");
    moveAway(root, "trust.d");
    await assert.rejects(readPolicy([root]), refused("trust.d"));
    rmSync(join(root, "trust.d"));
    rmSync(join(dirname(root), "elsewhere"), { recursive: true });
    const named = moveAway(root, "trustedkeys/named.d");
    await assert.rejects(namedKeys([root], [KEY], "a rule"), refused(named));
    await assert.rejects(
      addKey(root, { place: { kind: "named" }, name: "b", content: "key" }),
      refused(named),
    );
  }),
);
