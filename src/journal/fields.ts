/**
 * One pino line as a journal entry. The addon passes keys and values on as they are: a newline in a key would inject a
 * field, and a NUL in a value would send what lies behind it in the heap. So keys come from a list and NUL goes.
 */

/** Fields of our own entries; apps' entries get theirs from systemd. */
const KEYS = [
  "GANTRY_POD",
  "GANTRY_POD_UUID",
  "GANTRY_APP",
  "GANTRY_IMAGE",
  "GANTRY_IMAGE_DIGEST",
  "GANTRY_SOURCE",
  "GANTRY_UID",
  "GANTRY_KEY",
  "GANTRY_PREFIX",
] as const;

export type Fields = { readonly [K in (typeof KEYS)[number]]?: string };

export type Level = "err" | "warning" | "info" | "debug";

export type Entry = {
  readonly level: Level;
  readonly message: string;
  readonly fields: Record<string, string>;
};

const ALLOWED: ReadonlySet<string> = new Set([...KEYS, "MESSAGE_ID"]);

/** `line` is what pino wrote, parsed: `level`, `msg` and the fields. */
export function entryOf(line: Readonly<Record<string, unknown>>): Entry {
  const fields = Object.entries(line).filter(([key]) => ALLOWED.has(key));
  return {
    level: levelOf(Number(line["level"])),
    message: clean(line["msg"]),
    fields: {
      SYSLOG_IDENTIFIER: "gantry",
      ...Object.fromEntries(fields.map(([key, value]) => [key, clean(value)])),
    },
  };
}

/** pino: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal. */
function levelOf(level: number): Level {
  if (level >= 50) return "err";
  if (level >= 40) return "warning";
  return level >= 30 ? "info" : "debug";
}

function clean(value: unknown): string {
  return String(value ?? "").replaceAll("\0", "");
}
