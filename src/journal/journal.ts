/**
 * Gantry's own entries in the journal: pino gives them their shape, the journald addon carries them. Where the addon
 * or the journal is missing, entries are dropped: a command line has told its caller already.
 */
import { existsSync } from "node:fs";
import type { Logger } from "pino";
import { withoutSecrets } from "../base/text.ts";
import { EVENTS, type EventKind } from "./events.ts";
import { entryOf, type Fields } from "./fields.ts";

export type { EventKind } from "./events.ts";
export type { Fields } from "./fields.ts";

const SOCKET = "/run/systemd/journal/socket";

/** Loading pino and the addon costs 15 ms, which only who logs shall pay. */
let logger: Promise<Logger | undefined> | undefined;

/** Tells the journal of one event; it is read by others than the event's own user. Never fails. */
export async function logEvent(kind: EventKind, message: string, fields: Fields = {}): Promise<void> {
  logger ??= openLogger();
  const { id, severity } = EVENTS[kind];
  const { GANTRY_SOURCE: source } = fields;
  const shown = source === undefined ? fields : { ...fields, GANTRY_SOURCE: withoutSecrets(source) };
  (await logger)?.[severity]({ ...shown, MESSAGE_ID: id }, withoutSecrets(message));
}

async function openLogger(): Promise<Logger | undefined> {
  if (!existsSync(SOCKET)) return undefined;
  try {
    const { default: Journald } = await import("systemd-journald");
    const { pino } = await import("pino");
    return pino({ base: null, timestamp: false }, { write: (line) => sendLine(Journald, line) });
  } catch {
    // The addon is compiled; where it was not, there is no journal for us.
    return undefined;
  }
}

type Send = (message: string, fields: Record<string, string>) => void;

function sendLine(
  journald: Readonly<Record<"err" | "warning" | "info" | "debug", Send>>,
  line: string,
): void {
  const { level, message, fields } = entryOf(JSON.parse(line));
  journald[level](message, fields);
}
