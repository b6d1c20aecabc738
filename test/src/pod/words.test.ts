import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { checkName, nameOfImage, parseQuantity, parseSignal } from "../../../src/pod/words.ts";
import { refusal } from "../../fixtures/refusal.ts";

test("a name is an ACName of at most 63 characters", () => {
  for (const name of ["a", "web-1", "0", "a".repeat(63)]) assert.equal(checkName("pod", name), name);
  const wrong = ["", "A", "-a", "a-", "a--b", "a_b", "a.b", "a/b", "a\nb", "é", "a".repeat(64), "../x"];
  for (const name of wrong) {
    assert.throws(
      () => checkName("pod", name),
      refusal("Usage", 2, "is not a name for a pod"),
      JSON.stringify(name),
    );
  }
  assert.throws(
    () => checkName("app", "a\u001b[2J"),
    refusal("Usage", 2, '"a\\x1b[2J" is not a name for an app'),
  );
});

test("an app is called by the last component of its image's name", () => {
  const cases: Record<string, string> = {
    "registry.example/team/My_App:1.0": "my-app",
    "example.com/app": "app",
    "localhost:5000/team/x:1@sha256:abc": "x",
    busybox: "busybox",
    "docker.io/library/__": "app",
    "": "app",
  };
  for (const [image, name] of Object.entries(cases)) {
    assert.equal(nameOfImage(image), name, image);
  }
  assert.equal(nameOfImage(`r/${"a".repeat(62)}-bb`), "a".repeat(62));
});

test("quantities are exact thousandths", () => {
  const cases: Record<string, bigint> = {
    "500m": 500n,
    "1": 1000n,
    "0.3": 300n,
    "1.5": 1500n,
    "128974848": 128_974_848_000n,
    "125952Ki": 128_974_848_000n,
    "123Mi": 128_974_848_000n,
    "50M": 50_000_000_000n,
    "1G": 1_000_000_000_000n,
    "0.0001": 1n,
    "16m": 16n,
  };
  for (const [text, value] of Object.entries(cases)) assert.equal(parseQuantity(text), value, text);
  for (const text of ["", "m", "-1", "1e3", "1 M", "1MB", "0x10", "1.", ".5", "1K i", "NaN"]) {
    assert.equal(parseQuantity(text), undefined, text);
  }
});

test("signals by name and number", () => {
  const cases: Record<string, number | undefined> = {
    SIGTERM: 15,
    term: 15,
    "9": 9,
    "SIGRTMIN+3": 37,
    RTMIN: 34,
    "RTMAX-1": 63,
    "RTMIN+31": undefined,
    "RTMIN-1": undefined,
    "0": undefined,
    "65": undefined,
    SIGNOPE: undefined,
    "": undefined,
  };
  for (const [text, number] of Object.entries(cases)) {
    assert.equal(parseSignal(text, constants.signals), number, text);
  }
});
