/** The progress of a fetch as lines of a terminal: a bar for each layer that is under way, and one for all. */
import { printable } from "../base/text.ts";
import { type LayerTally, sumOf, type Tally } from "../manager/tally.ts";
import { sizeText } from "./size.ts";

export type View = {
  readonly columns: number;
  readonly rows: number;
  /** Bytes a second of late; undefined when nobody can tell yet. */
  readonly rate: number | undefined;
};

const WIDEST_BAR = 30;
const NARROWEST_BAR = 5;
/** Lines that are none of a layer's: title and total. */
const FRAME = 2;

/** Lines that fit the terminal, none of which wraps. */
export function barLines(title: string, tally: Tally, view: View): string[] {
  const width = Math.max(1, view.columns - 1);
  const head = `${printable(title)}: ${tally.phase ?? "waiting"}`;
  if (tally.layers.size === 0) return [fit(head, width)];
  const layers = [...tally.layers.values()];
  const ended = layers.filter(({ done }) => done).length;
  const counted = `${head}, ${ended} of ${layers.length} layers`;
  const lines = layers.filter(isUnderWay).map((layer) => layerLine(layer, width));
  const room = Math.max(0, view.rows - FRAME - 1);
  return [fit(counted, width), ...lines.slice(0, room), totalLine(tally, view.rate, width)];
}

function isUnderWay({ bytes, done }: LayerTally): boolean {
  return !done && bytes > 0;
}

function layerLine({ layer, bytes, size }: LayerTally, width: number): string {
  const name = printable(layer.replace(/^sha(?:256|512):/, "").slice(0, 12)).padEnd(12);
  return barLine({ name, done: bytes, total: size, after: "" }, width);
}

function totalLine(tally: Tally, rate: number | undefined, width: number): string {
  const { done, total } = sumOf(tally);
  const left = rate === undefined || rate <= 0 ? "" : `  ${timeText((total - done) / rate)} left`;
  const after = rate === undefined ? "" : `  ${sizeText(Math.round(rate))}/s${left}`;
  return barLine({ name: "total".padEnd(12), done, total, after }, width);
}

type Bar = { readonly name: string; readonly done: number; readonly total: number; readonly after: string };

/** On a narrow terminal first the bar gets shorter, then it goes, then the line is cut. */
function barLine({ name, done, total, after }: Bar, width: number): string {
  const text = `${sizeText(done)} of ${sizeText(total)}${after}`;
  const room = Math.min(WIDEST_BAR, width - name.length - text.length - 6);
  if (room < NARROWEST_BAR) return fit(`  ${name} ${text}`, width);
  const filled = total === 0 ? room : Math.floor((room * done) / total);
  return fit(`  ${name} [${"=".repeat(filled)}${" ".repeat(room - filled)}] ${text}`, width);
}

function fit(line: string, width: number): string {
  const characters = [...line];
  return characters.length <= width ? line : characters.slice(0, width).join("");
}

/** `8s`, `3m20s`, `2h05m`. */
export function timeText(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole}s`;
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}
