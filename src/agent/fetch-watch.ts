/** A fetch as its operation on the bus shows it: phase, progress, lines for people and events for programs. */
import type { Progress as FetchProgress, FetchWatch } from "../manager/manager.ts";
import { makeTally, noteProgress, sumOf } from "../manager/tally.ts";
import type { Progress } from "./operations.ts";

/** Milliseconds between two events about the bytes of a layer: everybody who watches the bus gets each of them. */
const PAUSE = 250;

export function watchFetch(operation: Progress, source: string): FetchWatch {
  const tally = makeTally();
  const told = new Map<string, number>();
  return {
    signal: operation.signal,
    progress: (progress) => {
      noteProgress(tally, progress);
      tellPeople(operation, progress);
      const { done, total } = sumOf(tally);
      if (total > 0) operation.progress(done / total);
      if (isDue(told, progress)) operation.event({ ...progress, source });
    },
    [Symbol.dispose]: () => {},
  };
}

function tellPeople(operation: Progress, progress: FetchProgress): void {
  if (progress.event === "phase") operation.phase(progress.phase);
  if (progress.event === "log") operation.log(progress.text);
  if (progress.event === "layer")
    operation.log(`${progress.state === "done" ? "unpacked" : "has"} ${progress.layer}`);
}

function isDue(told: Map<string, number>, progress: FetchProgress): boolean {
  if (progress.event !== "progress") return true;
  const now = performance.now();
  if (now - (told.get(progress.layer) ?? Number.NEGATIVE_INFINITY) < PAUSE) return false;
  told.set(progress.layer, now);
  return true;
}
