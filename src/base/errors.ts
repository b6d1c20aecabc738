/**
 * The one error table: every failure a user can meet has a kind, and the kind decides its bus name and exit
 * status. Libraries throw a GantryError; only the edges (CLI, agent, unit) print or log it.
 */
import { printable } from "./text.ts";

type Face = { readonly exit: number; readonly retryable: boolean };

/** kind → exit status (DESIGN: 0 done, 1 failed, 2 usage, 3 not running, 4 no such thing, 5 trust, 6 access). */
export const ERROR_KINDS = {
  Usage: { exit: 2, retryable: false },
  PodNotRunning: { exit: 3, retryable: false },
  NoSuchPod: { exit: 4, retryable: false },
  NoSuchApp: { exit: 4, retryable: false },
  NoSuchImage: { exit: 4, retryable: false },
  NoSuchKey: { exit: 4, retryable: false },
  PodExists: { exit: 1, retryable: false },
  FileExists: { exit: 1, retryable: false },
  PodBusy: { exit: 1, retryable: true },
  ImageBusy: { exit: 1, retryable: true },
  AmbiguousName: { exit: 2, retryable: false },
  BadReference: { exit: 2, retryable: false },
  BadImage: { exit: 1, retryable: false },
  DigestMismatch: { exit: 1, retryable: false },
  BadManifest: { exit: 1, retryable: false },
  BadConfig: { exit: 1, retryable: false },
  BadVolume: { exit: 1, retryable: false },
  NotTrusted: { exit: 5, retryable: false },
  AccessDenied: { exit: 6, retryable: false },
  Unsupported: { exit: 1, retryable: false },
  LaunchFailed: { exit: 1, retryable: false },
  StoreCorrupt: { exit: 1, retryable: false },
  StoreFull: { exit: 1, retryable: true },
  FetchFailed: { exit: 1, retryable: true },
  SystemdFailed: { exit: 1, retryable: true },
  TimedOut: { exit: 1, retryable: true },
  Cancelled: { exit: 1, retryable: true },
  Internal: { exit: 1, retryable: false },
} as const satisfies Record<string, Face>;

export type ErrorKind = keyof typeof ERROR_KINDS;

export type ErrorOptions = { readonly hint?: string; readonly cause?: unknown };

/** A failure with a kind of the table. `message` is one sentence that names the object. */
export class GantryError extends Error {
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: ErrorOptions = {}) {
    super(printable(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = kind;
    this.kind = kind;
    this.hint = options.hint === undefined ? undefined : printable(options.hint);
  }
}

/** The bus name of a kind, `org.gantry1.Error.<Kind>`. */
export function busName(kind: ErrorKind): string {
  return `org.gantry1.Error.${kind}`;
}

/** The exit status of whatever was thrown; what is not a GantryError is an internal failure, 1. */
export function exitStatus(thrown: unknown): number {
  return thrown instanceof GantryError ? ERROR_KINDS[thrown.kind].exit : 1;
}

/** A Node system error in words, such as "no such file or directory". */
export function errnoText(thrown: unknown): string {
  const words = thrown instanceof Error ? /^E[A-Z0-9]+: ([^,]+)/.exec(thrown.message)?.[1] : undefined;
  return words ?? errnoOf(thrown) ?? "unknown error";
}

/** What a failure to write to standard output is to the user. */
export function outputError(cause: unknown): GantryError {
  const kind = errnoOf(cause) === "ENOSPC" ? "StoreFull" : "Unsupported";
  return new GantryError(kind, `standard output: ${errnoText(cause)}`, { cause });
}

/** The errno name of a Node system error ("ENOENT"), or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}
