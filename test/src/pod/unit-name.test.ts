import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { escapeUnitName, podUnits } from "../../../src/pod/unit-name.ts";

test("escapes as systemd-escape does", () => {
  const words = ["web", "my-pod", "a.b", ".hidden", "a/b", "ü b", "x\\y", "a:b_c", "-", "0123456789abcdef"];
  const escaped = execFileSync("systemd-escape", ["--", ...words], { encoding: "utf8" })
    .trim()
    .split(" ");
  assert.deepEqual(words.map(escapeUnitName), escaped);
});

test("a dash in a pod's name does not nest its slice", () => {
  const units = podUnits("my-pod");
  assert.equal(units.slice, "gantry-my\\x2dpod.slice");
  assert.equal(units.sandbox, "gantry-my\\x2dpod.service");
  assert.equal(units.app("front"), "gantry-my\\x2dpod.front.service");
});

test("the longest names fit a unit's name", () => {
  const worst = `${"a-".repeat(31)}a`;
  assert.ok(podUnits(worst).app(worst).length <= 255);
});
