/** How often a waiter looks, and when it gives up. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { PodStatus } from "../../../src/manager/manager.ts";
import { waitForPod } from "../../../src/manager/wait.ts";

function status(state: PodStatus["state"]): PodStatus {
  return { uuid: "0".repeat(32), state, apps: [] } as unknown as PodStatus;
}

/** Lets `ms` pass in steps of one. */
async function pass(t: TestContext, ms: number): Promise<void> {
  for (let i = 0; i < ms; i++) {
    await new Promise(setImmediate);
    t.mock.timers.tick(1);
  }
  await new Promise(setImmediate);
}

test("a waiter looks often at first, and once a second at last", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const looks: number[] = [];
  let state: PodStatus["state"] = "running";
  const look = async () => {
    looks.push(Date.now());
    return status(state);
  };
  const waiting = waitForPod({ what: "exited", timeout: undefined, every: 50, look });
  await pass(t, 999);
  assert.equal(looks.length, 20);
  await pass(t, 59_001);
  const last = looks.slice(-10);
  assert.deepEqual(
    last.map((time, index) => time - (last[index - 1] ?? time - 1000)),
    Array.from({ length: 10 }, () => 1000),
  );
  state = "exited";
  await pass(t, 1000);
  assert.equal((await waiting)?.state, "exited");
});

test("a waiter with a time looks at its end once more", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const looks: number[] = [];
  const look = async () => {
    looks.push(Date.now());
    return status("running");
  };
  const waiting = waitForPod({ what: "exited", timeout: 120, every: 50, look });
  await pass(t, 200);
  assert.equal(await waiting, undefined);
  assert.deepEqual(looks, [0, 50, 100, 120]);
});
