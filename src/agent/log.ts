/** The agent's log: entries for the journal, as many as the level lets through (sd-daemon(3)). */
import { printable } from "../base/text.ts";

/** In the order of syslog(3)'s numbers, the most urgent first. */
export const LEVELS = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] as const;
export type Level = (typeof LEVELS)[number];

/** systemd connects standard error with the journal: "auto" and "journal" are the same here. */
export const TARGETS = ["auto", "journal", "console", "null"] as const;
export type Target = (typeof TARGETS)[number];

/** Longer entries could only hold what a caller has sent. */
const MAX_ENTRY = 4000;

export type Log = {
  level: Level;
  target: Target;
  write(level: Level, text: string): void;
  failure(what: string, error: unknown): void;
};

export function makeLog(print: (line: string) => void): Log {
  const log: Log = {
    level: "info",
    target: "auto",
    write: (level, text) => {
      if (log.target === "null" || LEVELS.indexOf(level) > LEVELS.indexOf(log.level)) return;
      // The journal reads the priority off the beginning of the line; a person does not want to.
      const priority = log.target === "console" ? "" : `<${LEVELS.indexOf(level)}>`;
      print(`${priority}${printable(text.slice(0, MAX_ENTRY))}\n`);
    },
    failure: (what, error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.write("err", `${what}: ${text}`);
    },
  };
  return log;
}
