import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodFacts } from "../../../src/pod/facts.ts";
import { appState, podState } from "../../../src/pod/state.ts";
import type { UnitState } from "../../../src/systemd/unit.ts";

const BOOT = "a".repeat(32);
const UNIT = "gantry-web.service";
const SECOND = 1_000_000;
const NOW = 1000 * SECOND;

const started = (time: number, boot = BOOT) => ({ version: 1 as const, time, boot });
const ended = (time: number, boot = BOOT) => ({ version: 1 as const, time, boot, result: "success" });

function stateOf(facts: Partial<PodFacts>, active?: string) {
  const unit: UnitState = {
    name: UNIT,
    description: "",
    load: "loaded",
    active: active ?? "",
    sub: "",
    job: "",
  };
  const units = new Map(active === undefined ? [] : [[UNIT, unit]]);
  const whole = { started: undefined, ended: undefined, apps: new Map(), ...facts };
  const { state, reason } = podState(whole, UNIT, { boot: BOOT, now: NOW, units });
  return reason === undefined ? state : `${state}, ${reason}`;
}

/** The rows of docs/pod-lifecycle.md. */
const TABLE: readonly (readonly [facts: Partial<PodFacts>, active: string | undefined, state: string])[] = [
  [{}, undefined, "prepared"],
  [{ started: started(NOW) }, "activating", "starting"],
  [{ started: started(NOW) }, "active", "running"],
  [{ started: started(NOW) }, "deactivating", "stopping"],
  [{ started: started(1), ended: ended(2) }, undefined, "exited"],
  [{ started: started(1), ended: ended(2) }, "failed", "exited"],
  [{ started: started(1, "b") }, undefined, "exited, host-rebooted"],
  [{ started: started(1, "b"), ended: ended(2, "b") }, undefined, "exited"],
  [{ started: started(1) }, undefined, "exited, lost"],
  [{ started: started(NOW - SECOND) }, undefined, "starting"],
  // Started again: the end of the run before says nothing.
  [{ started: started(NOW - SECOND), ended: ended(1) }, "active", "running"],
  [{ started: started(3), ended: ended(2) }, undefined, "exited, lost"],
  // A unit of the same name in a later boot is another pod's.
  [{ started: started(1, "b") }, "active", "exited, host-rebooted"],
];

for (const [facts, active, state] of TABLE) {
  test(`${JSON.stringify(facts)} with unit ${active ?? "not loaded"} is ${state}`, () => {
    assert.equal(stateOf(facts, active), state);
  });
}

test("an app's state follows its unit while the pod lives", () => {
  const none = { started: undefined, exit: undefined };
  const unit = (active: string): UnitState => ({
    name: "x",
    description: "",
    load: "",
    active,
    sub: "",
    job: "",
  });
  assert.equal(appState(none, "running", unit("active")), "running");
  assert.equal(appState(none, "starting", undefined), "prepared");
  assert.equal(appState({ ...none, started: started(1) }, "running", unit("failed")), "exited");
  assert.equal(appState(none, "exited", undefined), "exited");
  assert.equal(appState(none, "prepared", undefined), "prepared");
});
