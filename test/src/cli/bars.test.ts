import assert from "node:assert/strict";
import { test } from "node:test";
import { barLines, timeText } from "../../../src/cli/bars.ts";
import { makeTally, noteProgress, sumOf, type Tally } from "../../../src/manager/tally.ts";

const VIEW = { columns: 80, rows: 24, rate: 1024 * 1024 };
const MIB = 1024 * 1024;

function tallyOf(layers: number): Tally {
  const tally = makeTally();
  const tasks = Array.from({ length: layers }, (_, n) => ({
    layer: `sha256:${n}${"0".repeat(63)}`,
    size: MIB,
  }));
  noteProgress(tally, { event: "phase", phase: "importing" });
  noteProgress(tally, { event: "layers", layers: tasks });
  for (const { layer } of tasks) noteProgress(tally, { event: "progress", layer, bytes: MIB / 2 });
  return tally;
}

test("bars: one for each layer under way, one for all, with rate and time left", () => {
  const tally = tallyOf(3);
  noteProgress(tally, { event: "layer", layer: `sha256:0${"0".repeat(63)}`, state: "done" });
  assert.deepEqual(barLines("docker://r/app", tally, VIEW), [
    "docker://r/app: importing, 1 of 3 layers",
    "  100000000000 [===============               ] 512 KiB of 1.0 MiB",
    "  200000000000 [===============               ] 512 KiB of 1.0 MiB",
    "  total        [===============        ] 2.0 MiB of 3.0 MiB  1.0 MiB/s  1s left",
  ]);
});

test("bars: no line is as wide as the terminal, nor are there more than it has rows", () => {
  for (const columns of [1, 2, 10, 20, 40, 80, 200]) {
    for (const line of barLines("docker://r/app", tallyOf(3), { ...VIEW, columns })) {
      assert.ok(line.length < Math.max(2, columns), `${columns}: ${line}`);
    }
  }
  assert.equal(barLines("x", tallyOf(300), VIEW).length, 23);
  assert.equal(barLines("x", tallyOf(300), { ...VIEW, rows: 2 }).length, 2);
});

test("bars: what a fetcher says moves no cursor and overfills no bar", () => {
  const tally = makeTally();
  noteProgress(tally, { event: "layers", layers: [{ layer: "\x1b[31m", size: 10 }] });
  noteProgress(tally, { event: "progress", layer: "\x1b[31m", bytes: 1e12 });
  noteProgress(tally, { event: "progress", layer: "unknown", bytes: 5 });
  assert.deepEqual(sumOf(tally), { done: 10, total: 10 });
  assert.doesNotMatch(barLines("\x1b[2J", tally, VIEW).join("\n"), /\x1b/);
});

test("bars: before anything is known there is one line", () => {
  assert.deepEqual(barLines("docker://r/app", makeTally(), VIEW), ["docker://r/app: waiting"]);
});

test("times are short", () => {
  assert.deepEqual([0, 7.2, 60, 200, 7500].map(timeText), ["0s", "8s", "1m00s", "3m20s", "2h05m"]);
});
