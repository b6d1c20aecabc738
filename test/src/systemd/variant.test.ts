import assert from "node:assert/strict";
import { test } from "node:test";
import dbus from "dbus-next";
import { unitPath } from "../../../src/systemd/manager.ts";
import { toVariants } from "../../../src/systemd/variant.ts";
import { refusal } from "../../fixtures/refusal.ts";

const values = (...properties: Parameters<typeof toVariants>[0]) =>
  toVariants(properties, dbus.Variant).map(([name, variant]) => [name, variant.signature, variant.value]);

test("JSON becomes what the signature says", () => {
  assert.deepEqual(
    values(
      ["Type", "s", "notify"],
      ["MemoryMax", "t", 1024],
      ["KillSignal", "i", 15],
      ["LogExtraFields", "aay", ["A=1", "B=ü"]],
      ["ExecStartEx", "a(sasas)", [["/x", ["/x", "$y"], ["no-env-expand"]]]],
      ["IPAddressDeny", "a(iayu)", [[2, [0, 0, 0, 0], 0]]],
    ),
    [
      ["Type", "s", "notify"],
      ["MemoryMax", "t", 1024n],
      ["KillSignal", "i", 15],
      ["LogExtraFields", "aay", [Buffer.from("A=1"), Buffer.from("B=ü")]],
      ["ExecStartEx", "a(sasas)", [["/x", ["/x", "$y"], ["no-env-expand"]]]],
      ["IPAddressDeny", "a(iayu)", [[2, Buffer.alloc(4), 0]]],
    ],
  );
});

test("a value that has not the shape of its signature is refused by name", () => {
  const wrong: Parameters<typeof toVariants>[0] = [
    ["MemoryMax", "t", "1G"],
    ["Wants", "as", "x.service"],
    ["ExecStartEx", "a(sasas)", [{} as never, "x"]],
  ];
  for (const property of wrong) assert.throws(() => values(property), refusal("Internal", 1, property[0]));
});

test("object paths are escaped as systemd does", () => {
  assert.equal(
    unitPath("gantry-my\\x2dpod.service"),
    "/org/freedesktop/systemd1/unit/gantry_2dmy_5cx2dpod_2eservice",
  );
  assert.equal(unitPath("0a.slice"), "/org/freedesktop/systemd1/unit/_30a_2eslice");
});
