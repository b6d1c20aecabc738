import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_KINDS, type ErrorKind, GantryError } from "../../../src/base/errors.ts";
import { errorReply } from "../../../src/bus/errors.ts";
import { errorOf } from "../../../src/manager/agent-link.ts";

test("agent link: every kind comes back as itself", () => {
  for (const kind of Object.keys(ERROR_KINDS) as ErrorKind[]) {
    if (kind === "Internal") continue;
    const { name, text } = errorReply(new GantryError(kind, `about "x"`));
    const back = errorOf(name, text);
    assert.deepEqual([back.kind, back.message], [kind, `about "x"`]);
  }
});

test("agent link: who is denied hears who may", () => {
  for (const name of ["org.gantry1.Error.AccessDenied", "org.freedesktop.DBus.Error.AccessDenied"])
    assert.match(errorOf(name, "not authorized for org.gantry1.pod.run").hint ?? "", /sudo.*polkit/);
});

for (const [name, kind] of [
  ["org.freedesktop.DBus.Error.AccessDenied", "AccessDenied"],
  ["org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "AccessDenied"],
  ["org.freedesktop.DBus.Error.InvalidArgs", "Usage"],
  ["org.freedesktop.DBus.Error.NoReply", "TimedOut"],
  ["org.gantry1.Error.OfTheFuture", "Internal"],
  ["org.freedesktop.DBus.Error.ServiceUnknown", "SystemdFailed"],
  ["org.freedesktop.systemd1.UnitMasked", "SystemdFailed"],
] as const) {
  test(`agent link: ${name} is ${kind}`, () => {
    const error = errorOf(name, "why");
    assert.equal(error.kind, kind);
    assert.match(error.message, /why/);
  });
}
