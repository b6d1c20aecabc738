/** Turns: tasks of one key one after the other, of different keys at once, whatever becomes of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTurns } from "../../../src/manager/turns.ts";

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

test("turns: the second task of a key waits for the first, that of another key does not", async () => {
  const turns = makeTurns();
  const done: string[] = [];
  const { opened, open } = gate();
  const first = turns("web", async () => {
    await opened;
    done.push("first");
  });
  const second = turns("web", async () => void done.push("second"));
  await turns("db", async () => void done.push("other"));
  open();
  await Promise.all([first, second]);
  assert.deepEqual(done, ["other", "first", "second"]);
});

test("turns: a task that fails fails alone", async () => {
  const turns = makeTurns();
  const failing = turns("web", () => Promise.reject(new Error("no")));
  const next = turns("web", async () => "yes");
  await assert.rejects(failing, /^Error: no$/);
  assert.equal(await next, "yes");
});
