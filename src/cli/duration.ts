/** Durations as people write them. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { OptionValues } from "./verb.ts";

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A duration such as `500ms`, `30s`, `1h30m`, or a bare number of seconds, in milliseconds; undefined when none. */
export function parseDuration(text: string): number | undefined {
  if (/^\d{1,9}(?:\.\d{1,3})?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!/^(?:\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    total += Number(number) * (DURATION_UNITS[unit ?? ""] ?? 0);
  }
  return Math.round(total);
}

/** The milliseconds that an option says. Throws Usage. */
export function durationOption(options: OptionValues, name: string, otherwise: number): number {
  const text = options.value(name);
  if (text === undefined) return otherwise;
  const parsed = parseDuration(text);
  if (parsed !== undefined) return parsed;
  throw new GantryError("Usage", `--${name}: ${quoted(text)} is not a duration such as 500ms, 30s or 5m`);
}
