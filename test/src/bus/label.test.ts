import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeLabel, unescapeLabel } from "../../../src/bus/label.ts";

const PAIRS = [
  ["", "_"],
  [".host", "_2ehost"],
  ["web", "web"],
  ["0ab1", "_30ab1"],
  ["a_b", "a_5fb"],
  ["web.front", "web_2efront"],
  ["ü", "_c3_bc"],
] as const;

for (const [name, label] of PAIRS) {
  test(`label: "${name}" is ${label}, as systemd escapes it`, () => {
    assert.equal(escapeLabel(name), label);
    assert.equal(unescapeLabel(label), name);
  });
}

for (const label of ["_c3", "_5", "0a", "_61", "a_zz", "__"]) {
  test(`label: ${label} is nobody's`, () => assert.equal(unescapeLabel(label), undefined));
}
