import assert from "node:assert/strict";
import { test } from "node:test";
import { insecureVerdict, parseInsecureOptions, requireVerdict } from "../../../src/trust/verdict.ts";
import { refusal } from "../../fixtures/refusal.ts";

test("the operator's word is recorded with who said it and when", () => {
  const before = Date.now() * 1000;
  const verdict = insecureVerdict(1000);
  assert.deepEqual([verdict.kind, verdict.uid], ["insecure", 1000]);
  assert.match(verdict.reason, /--insecure-options=image/);
  assert.ok(verdict.time >= before && verdict.time <= Date.now() * 1000);
});

test("insecure options are a list of known words", () => {
  assert.deepEqual(parseInsecureOptions(""), []);
  assert.deepEqual(parseInsecureOptions("none"), []);
  assert.deepEqual(parseInsecureOptions("image"), ["image"]);
  assert.throws(() => parseInsecureOptions("image,al l"), refusal("Usage", 2, '"al l"', "image"));
});

test("lying in the store makes no unsigned image trusted", () => {
  const verdict = insecureVerdict(0);
  assert.throws(
    () => requireVerdict(verdict, { source: "localhost/x", insecureOptions: [] }),
    refusal("NotTrusted", 5, '"localhost/x"', "gantry run --insecure-options=image localhost/x"),
  );
  const origin = "oci:/srv/my images";
  const unchecked = "gantry install --insecure-options=image web.json";
  assert.throws(
    () => requireVerdict(verdict, { source: "localhost/x", origin, unchecked, insecureOptions: [] }),
    refusal("NotTrusted", 5, "to have it checked: gantry fetch 'oci:/srv/my images'", unchecked),
  );
  requireVerdict(verdict, { source: "localhost/x", insecureOptions: ["image"] });
});
