import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeUnsigned, parseInsecureOptions, requireVerdict } from "../../../src/trust/verdict.ts";
import { refusal } from "../../fixtures/refusal.ts";

test("an image without a signature is refused with the exact command that would accept it", () => {
  const judge = (source: string) => () => judgeUnsigned({ source, insecureOptions: [], uid: 0 });
  assert.throws(
    judge("oci:/srv/app:1.0"),
    refusal("NotTrusted", 5, '"oci:/srv/app:1.0"', "gantry fetch --insecure-options=image oci:/srv/app:1.0"),
  );
  assert.throws(judge("/srv/a b;c.aci"), refusal("NotTrusted", 5, "image '/srv/a b;c.aci'"));
});

test("the operator's word is recorded with who said it and when", () => {
  const before = Date.now() * 1000;
  const verdict = judgeUnsigned({ source: "x", insecureOptions: ["image"], uid: 1000 });
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
  const verdict = judgeUnsigned({ source: "x", insecureOptions: ["image"], uid: 0 });
  assert.throws(
    () => requireVerdict(verdict, { source: "localhost/x", insecureOptions: [] }),
    refusal("NotTrusted", 5, '"localhost/x"', "--insecure-options=image"),
  );
  requireVerdict(verdict, { source: "localhost/x", insecureOptions: ["image"] });
});
