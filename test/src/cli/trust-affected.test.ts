import assert from "node:assert/strict";
import { test } from "node:test";
import { affectedText } from "../../../src/cli/trust-affected.ts";

test("an image that a change refuses is named once, whatever its reason begins with", () => {
  const image = (reason: string) =>
    affectedText({ pods: [], images: [{ id: "sha256-1", name: "a/b", reason }] });
  assert.equal(image('image "a/b" is not trusted: no key'), 'image "a/b" is not trusted: no key\n');
  assert.equal(image("the policy is wrong"), 'image "a/b": the policy is wrong\n');
});
