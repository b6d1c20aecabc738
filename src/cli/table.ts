/** Listings for people: aligned columns, two blanks apart. */
import { printable } from "../base/text.ts";

/** Rows of equal length under `titles`; every cell is made printable, and the last column is not padded. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [titles, ...rows.map((row) => row.map(printable))];
  const widths = titles.map((_, at) => Math.max(...all.map((row) => [...(row[at] ?? "")].length)));
  return all.map((row) => `${lineOf(row, widths)}\n`).join("");
}

function lineOf(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, at) => cell + " ".repeat((widths[at] ?? 0) - [...cell].length));
  return cells.join("  ").trimEnd();
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** Bytes as people read them: `1.9 MiB`. */
export function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  for (; size >= 1024 && unit < UNITS.length - 1; unit++) size /= 1024;
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

const AGES: readonly (readonly [seconds: number, noun: string])[] = [
  [86_400, "day"],
  [3_600, "hour"],
  [60, "minute"],
  [1, "second"],
];

/** A time in microseconds since the epoch, as seen at `now` (the same): `3 hours ago`. */
export function ageText(time: number, now: number): string {
  const seconds = Math.max(0, Math.floor((now - time) / 1e6));
  const [length, noun] = AGES.find(([limit]) => seconds >= limit) ?? [1, "second"];
  const count = Math.floor(seconds / length);
  return `${count} ${noun}${count === 1 ? "" : "s"} ago`;
}
