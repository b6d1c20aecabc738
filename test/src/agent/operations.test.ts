import assert from "node:assert/strict";
import { test } from "node:test";
import { type Listeners, makeOperations, type Operation, type Work } from "../../../src/agent/operations.ts";
import { GantryError } from "../../../src/base/errors.ts";

type Bench = { readonly told: string[]; readonly failures: unknown[]; readonly listeners: Listeners };

function setUp(): Bench {
  const told: string[] = [];
  const failures: unknown[] = [];
  const listeners: Listeners = {
    onNew: ({ phase }) => told.push(`new ${phase}`),
    onChanged: (_, changed) => told.push(Object.keys(changed).join(" ")),
    onLog: (_, line, priority) => told.push(`log ${priority} ${line}`),
    onEvent: (_, json) => told.push(`event ${json}`),
    onFailure: (error) => failures.push(error),
    onEnded: ({ phase }) => told.push(`ended ${phase}`),
    onForgotten: () => told.push("forgotten"),
  };
  return { told, failures, listeners };
}

const work = (run: Work["run"]): Work => ({ kind: "pod.run", target: "web", owner: 4711, run });

async function settled(look: () => Operation | undefined): Promise<Operation> {
  for (;;) {
    const now = look();
    if (now !== undefined && now.ended !== 0n) return now;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("operations: tell their phases, their progress and their result", async () => {
  const { told, listeners } = setUp();
  const operations = makeOperations(listeners);
  const begun = operations.begin(
    work(async (progress) => {
      progress.phase("preparing");
      progress.log("a line");
      progress.warn("a warning");
      progress.event({ event: "done" });
      for (const done of [0.1, 0.101, 0.5, 7]) progress.progress(done);
      return "result";
    }),
  );
  assert.deepEqual([begun.phase, begun.kind, begun.target, begun.owner], ["queued", "pod.run", "web", 4711]);
  const ended = await settled(() => operations.find(begun.id));
  assert.deepEqual([ended.phase, ended.result, ended.progress, ended.error.name], ["done", "result", 1, ""]);
  assert.deepEqual(told, [
    ...[
      "new queued",
      "phase",
      "phase",
      "log 6 a line",
      "log 4 a warning",
      'event {"event":"done"}',
      "progress",
      "progress",
      "progress",
    ],
    ...["phase progress result ended", "ended done"],
  ]);
  assert.equal(operations.unfinished(), 0);
  assert.equal(operations.list().length, 1);
});

test("operations: an event stays JSON whatever URL a server has put into it", async () => {
  const { told, listeners } = setUp();
  const operations = makeOperations(listeners);
  const text = 'cannot get "https://user:secret@example.com/a?signature=secret": "gone"';
  const { id } = operations.begin(
    work(async (progress) => {
      progress.event({ event: "log", text, source: "https://example.com/app.aci?secret" });
      return "";
    }),
  );
  await settled(() => operations.find(id));
  const json = told.find((line) => line.startsWith("event "))?.slice("event ".length) ?? "";
  assert.deepEqual(JSON.parse(json), {
    event: "log",
    text: 'cannot get "https://example.com/a": "gone"',
    source: "https://example.com/app.aci",
  });
});

test("operations: an error is told by its kind, and only one of ours to the journal", async () => {
  const { failures, listeners } = setUp();
  const operations = makeOperations(listeners);
  const fail = async (error: unknown) => {
    const { id } = operations.begin(work(() => Promise.reject(error)));
    return await settled(() => operations.find(id));
  };
  const known = await fail(new GantryError("NoSuchPod", 'there is no pod "x"'));
  assert.deepEqual(known.error, { name: "org.gantry1.Error.NoSuchPod", text: 'there is no pod "x"' });
  assert.deepEqual([known.phase, known.result], ["failed", ""]);
  assert.equal(failures.length, 0);
  const wild = await fail(new TypeError("secret"));
  assert.equal(wild.error.name, "org.gantry1.Error.Internal");
  assert.doesNotMatch(wild.error.text, /secret/);
  assert.equal(failures.length, 1);
});

test("operations: cancelling reaches the work, and what waits never begins", async () => {
  const { listeners } = setUp();
  const operations = makeOperations(listeners);
  const untilCancelled = work(
    ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  );
  const running = Array.from({ length: 8 }, () => operations.begin(untilCancelled));
  let began = false;
  const waiting = operations.begin(
    work(async () => {
      began = true;
      return "";
    }),
  );
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(operations.find(waiting.id)?.phase, "queued");
  for (const { id } of [waiting, ...running]) operations.cancel(id);
  const ended = await settled(() => operations.find(waiting.id));
  assert.deepEqual([ended.phase, ended.error.name], ["cancelled", "org.gantry1.Error.Cancelled"]);
  assert.match(ended.error.text, /work on web was cancelled/);
  assert.equal(began, false);
  for (const { id } of running) assert.equal((await settled(() => operations.find(id))).phase, "cancelled");
  assert.equal(operations.unfinished(), 0);
});

test("operations: more than 256 unfinished ones are refused", () => {
  const operations = makeOperations(setUp().listeners);
  const endless = work(() => new Promise(() => {}));
  for (let count = 0; count < 256; count += 1) operations.begin(endless);
  assert.throws(() => operations.begin(endless), { name: "LimitsExceeded", message: /256 operations/ });
  assert.equal(operations.unfinished(), 256);
});

test("operations: what is not there cannot be cancelled, and harms nobody", () => {
  const operations = makeOperations(setUp().listeners);
  operations.cancel("nobody");
  assert.equal(operations.find("nobody"), undefined);
});
