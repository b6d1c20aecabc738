/** Credentials that come with a call of the bus. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { entryOf, type GivenCredentials, parseCredentials } from "../../../src/config/given-credentials.ts";
import { refusal } from "../../fixtures/refusal.ts";

const PAIR = { user: "ann", password: "hunter2" };

test("the longest name that fits has the credentials, in whole segments; Docker Hub has one name", () => {
  const find = parseCredentials({
    "r.example": PAIR,
    "r.example/team": { token: "of the team" },
    "https://index.docker.io/v1/": { identityToken: "of the hub" },
  });
  assert.deepEqual(find("r.example/app"), { kind: "basic", ...PAIR });
  assert.deepEqual(find("r.example/teamwork"), { kind: "basic", ...PAIR });
  assert.deepEqual(find("r.example/team/app"), { kind: "bearer", token: "of the team" });
  assert.deepEqual(find("docker.io/library/busybox"), { kind: "identity-token", token: "of the hub" });
  assert.equal(find("other.example/app"), undefined);
  assert.equal(find("r.example:5000/app"), undefined);
});

test("what one side writes the other one reads", () => {
  const all = [
    { kind: "basic", ...PAIR },
    { kind: "bearer", token: "t" },
    { kind: "identity-token", token: "i" },
  ] as const;
  for (const one of all)
    assert.deepEqual(parseCredentials({ "r.example": entryOf(one) })("r.example/app"), one);
});

test("what is none is refused by the registry's name, and no value is repeated", () => {
  const wrong: readonly Record<string, string>[] = [
    {},
    { user: "ann" },
    { ...PAIR, token: "hunter2" },
    { ...PAIR, more: "hunter2" },
    { user: "", password: "hunter2" },
    { password: "hunter2" },
    { token: "hunter2".repeat(10_000) },
  ];
  for (const entry of wrong) {
    const given: GivenCredentials = { "r.example": entry };
    assert.throws(
      () => parseCredentials(given),
      (error) => {
        assert.doesNotMatch(inspect(error), /hunter2/);
        return refusal("Usage", 2, 'the credentials for "r.example" are neither')(error);
      },
    );
  }
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`r${n}.example`, PAIR]));
  assert.throws(
    () => parseCredentials(many),
    refusal("Usage", 2, "credentials for 65 registries, at most 64"),
  );
});

test("who shows what finds them shows none", () => {
  const request = { credentials: parseCredentials({ "r.example": PAIR }) };
  assert.doesNotMatch(
    `${JSON.stringify(request)}${inspect(request, { depth: 9, showHidden: true })}`,
    /hunter2/,
  );
});
