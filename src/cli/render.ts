/** How results look: aligned tables for people, JSON for programs. */
import { printable } from "../base/text.ts";
import type { Context, Option, OptionValues } from "./verb.ts";

/** Rows below a header, columns two blanks apart, without blanks at the end of a line. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = [header, ...rows].map((row) => row.map(printable));
  const widths = header.map((_, column) => Math.max(...shown.map((row) => [...(row[column] ?? "")].length)));
  return shown
    .map(
      (row) =>
        `${row
          .map((cell, column) => pad(cell, widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function pad(cell: string, width: number): string {
  return cell + " ".repeat(Math.max(0, width - [...cell].length));
}

export const NO_LEGEND: Option = { name: "no-legend", help: "no line of titles" };

/** A table without its titles where they are not wanted. */
export function withLegend(text: string, options: OptionValues): string {
  return options.flag(NO_LEGEND.name) ? text.slice(text.indexOf("\n") + 1) : text;
}

/** One JSON document, ended by a newline; what JSON lets pass and a terminal would obey is escaped in its strings. */
export function json(value: unknown): string {
  return escapedJson(JSON.stringify(value, null, 2));
}

/** The same on one line. */
export function jsonLine(value: unknown): string {
  return escapedJson(JSON.stringify(value));
}

function escapedJson(text: string): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${text.replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, escaped)}\n`;
}

/** Writes a value in the form that `--format` asks for. */
export function show(
  context: Context,
  format: string | undefined,
  forms: { table(): string; json(): unknown },
): void {
  context.out(format === "json" ? json(forms.json()) : forms.table());
}

/** "6 seconds ago" for microseconds since the epoch; "" for nothing. */
export function age(time: number | undefined, now: number = Date.now() * 1000): string {
  if (time === undefined) return "";
  const seconds = Math.max(0, Math.round((now - time) / 1_000_000));
  const [count, unit] = largestUnit(seconds);
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

function largestUnit(seconds: number): [count: number, unit: string] {
  if (seconds < 120) return [seconds, "second"];
  if (seconds < 7200) return [Math.floor(seconds / 60), "minute"];
  if (seconds < 172_800) return [Math.floor(seconds / 3600), "hour"];
  return [Math.floor(seconds / 86_400), "day"];
}

/** `2026-11-22 01:07:15.811 UTC` for microseconds since the epoch. */
export function timestamp(time: number): string {
  return new Date(time / 1000).toISOString().replace("T", " ").replace("Z", " UTC");
}
