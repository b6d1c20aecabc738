/**
 * How far a fetch is: bars that are redrawn in place on a terminal, a line for whatever is done elsewhere, or every event
 * as a line of JSON for programs.
 */
import { printable } from "../base/text.ts";
import type { Progress } from "../manager/manager.ts";
import { makeTally, noteProgress, sumOf, type Tally } from "../manager/tally.ts";
import { barLines } from "./bars.ts";
import { jsonLine } from "./render.ts";
import { sizeText } from "./size.ts";
import type { Context } from "./verb.ts";

/** Disposing of it takes the bars off the terminal. */
export type ProgressDisplay = Disposable & { show(progress: Progress): void };

/** Milliseconds between two drawings; an eye takes in no more, and a slow terminal should not be what is waited for. */
const PAUSE = 100;
/** The rate is that of the last milliseconds. */
const WINDOW = 5000;

export type ProgressOptions = {
  readonly format?: string;
  /** Whether layers that were there before are worth a line; to `run` they are not. */
  readonly present?: boolean;
};

/** Shows the fetch of `source`: on standard error, as JSON on standard output. */
export function showProgress(
  context: Context,
  source: string,
  { format = "text", present = true }: ProgressOptions = {},
): ProgressDisplay {
  if (format === "json") return jsonProgress(context, source);
  return context.stderrTerminal ? barProgress(context, source) : lineProgress(context, source, present);
}

function jsonProgress(context: Context, source: string): ProgressDisplay {
  return {
    show: (progress) => context.out(jsonLine({ ...progress, source })),
    [Symbol.dispose]: () => {},
  };
}

function lineProgress(context: Context, source: string, present: boolean): ProgressDisplay {
  const tally = makeTally();
  return {
    show: (progress) => {
      noteProgress(tally, progress);
      if (!present && progress.event === "layer" && progress.state === "present") return;
      const text = lineOf(progress, tally);
      if (text !== undefined) context.err(`${printable(`${source}: ${text}`)}\n`);
    },
    [Symbol.dispose]: () => {},
  };
}

/** What is worth a line where lines stay. */
function lineOf(progress: Progress, tally: Tally): string | undefined {
  switch (progress.event) {
    case "phase":
      return progress.phase;
    case "log":
      return progress.text;
    case "layer": {
      const { done, total } = sumOf(tally);
      const how = progress.state === "present" ? "is in the store already" : "is unpacked";
      return `layer ${progress.layer} ${how} (${sizeText(done)} of ${sizeText(total)})`;
    }
    default:
      return undefined;
  }
}

type Sample = { readonly time: number; readonly bytes: number };

function barProgress(context: Context, source: string): ProgressDisplay {
  const tally = makeTally();
  const samples: Sample[] = [];
  let drawn: readonly string[] = [];
  const draw = (above = "") => {
    const { columns, rows } = context.terminalSize();
    const lines = barLines(source, tally, { columns, rows, rate: rateOf(samples, sumOf(tally).done) });
    context.err(`${erasure(drawn, columns)}${above}${lines.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`);
    drawn = lines;
  };
  // Nothing else changes the time that is left while a server is silent.
  const timer = setInterval(() => draw(), PAUSE);
  return {
    show: (progress) => {
      noteProgress(tally, progress);
      if (progress.event === "log") draw(`${printable(progress.text)}\x1b[K\n`);
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      if (drawn.length > 0) context.err(`${erasure(drawn, context.terminalSize().columns)}\x1b[J`);
      drawn = [];
    },
  };
}

/**
 * Moves to the beginning of what was drawn; what is drawn next covers it, so nothing flickers. A terminal that has become
 * narrower has wrapped the lines meanwhile.
 */
function erasure(drawn: readonly string[], columns: number): string {
  const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil([...line].length / columns)), 0);
  return rows === 0 ? "" : `\x1b[${rows}A\r`;
}

/** Bytes a second over the window, in which this is the newest sample. */
function rateOf(samples: Sample[], bytes: number): number | undefined {
  const time = performance.now();
  samples.push({ time, bytes });
  while (samples.length > 2 && (samples[0]?.time ?? time) < time - WINDOW) samples.shift();
  const [first] = samples;
  if (first === undefined || time - first.time < 1000) return undefined;
  return ((bytes - first.bytes) * 1000) / (time - first.time);
}
