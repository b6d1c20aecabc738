/** What the bench found: rows of measurements against targets, as a table for people and JSON for programs. */

export type Samples = { readonly min: number; readonly median: number; readonly count: number };

export type Row = {
  readonly name: string;
  readonly unit: "ms" | "kB";
  readonly gantry: Samples;
  /** What it is compared with, when the target is a ratio or the comparison says something. */
  readonly peer?: { readonly name: string; readonly samples: Samples };
  readonly target?: Target;
};

/** At most `factor` times the peer's minimum, or at most `limit` units. */
export type Target = { readonly factor: number } | { readonly limit: number };

/** Minimum and median of values, rounded to two decimals. */
export function summarize(values: readonly number[]): Samples {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, median] = [sorted[0], sorted[Math.floor(sorted.length / 2)]];
  if (min === undefined || median === undefined) throw new Error("a measurement without samples");
  return { min: round(min), median: round(median), count: sorted.length };
}

/** Reads lines of `<name> <nanoseconds>` into milliseconds by name. */
export function parseSamples(text: string): ReadonlyMap<string, Samples> {
  const values = new Map<string, number[]>();
  for (const line of text.trim().split("\n")) {
    const [name = "", nanoseconds = ""] = line.split(" ");
    values.set(name, [...(values.get(name) ?? []), Number(nanoseconds) / 1e6]);
  }
  return new Map([...values].map(([name, list]) => [name, summarize(list)]));
}

/** The samples of one name; throws when there are none. */
export function samplesOf(samples: ReadonlyMap<string, Samples>, name: string): Samples {
  const found = samples.get(name);
  if (found === undefined) throw new Error(`no samples of ${name}`);
  return found;
}

/** Whether the row's minimum reaches its target; undefined without one. */
export function isMet(row: Row): boolean | undefined {
  if (row.target === undefined) return undefined;
  if ("limit" in row.target) return row.gantry.min <= row.target.limit;
  return row.peer !== undefined && row.gantry.min <= row.target.factor * row.peer.samples.min;
}

/** The rows as an aligned table. */
export function renderTable(rows: readonly Row[]): string {
  const head = ["what", "gantry min", "median", "against", "min", "median", "ratio of min", "target", ""];
  const lines = [head, ...rows.map(cells)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => align(cell, widths[column] ?? 0, column))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function cells(row: Row): string[] {
  const { gantry, peer } = row;
  const ratio = peer === undefined ? "" : (gantry.min / peer.samples.min).toFixed(2);
  const met = isMet(row);
  return [
    row.name,
    `${gantry.min} ${row.unit}`,
    String(gantry.median),
    peer?.name ?? "",
    peer === undefined ? "" : String(peer.samples.min),
    peer === undefined ? "" : String(peer.samples.median),
    ratio,
    targetText(row),
    met === undefined ? "" : met ? "met" : "MISSED",
  ];
}

function targetText({ target, unit }: Row): string {
  if (target === undefined) return "";
  return "limit" in target ? `<= ${target.limit} ${unit}` : `<= ${target.factor} x`;
}

function align(cell: string, width: number, column: number): string {
  const text = column === 0 || column === 3 || column === 8;
  return text ? cell.padEnd(width) : cell.padStart(width);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
