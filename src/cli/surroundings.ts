/** The process around a verb, read in one place. */
import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import { errnoOf, outputError } from "../base/errors.ts";
import type { Paths } from "../config/paths.ts";
import type { Context } from "./verb.ts";

export type Surroundings = {
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
};

/** SIGPIPE's exit status: whoever read has gone. */
const PIPE_CLOSED = 141;

export function makeContext({ environment, uid }: Surroundings, paths: Paths): Context {
  return {
    paths,
    uid,
    environment,
    get stdinTerminal() {
      return isTerminal(0);
    },
    get stdoutTerminal() {
      return isTerminal(1);
    },
    get stderrTerminal() {
      return isTerminal(2);
    },
    terminalSize: () => sizeOf(process.stderr),
    authentication: async () => {
      const { standByForPassword } = await import("./authentication.ts");
      return await standByForPassword(isTerminal(0));
    },
    out: writeOutput,
    err: writeError,
  };
}

/** node:tty brings all of node:net with it, which only some verbs need. */
function isTerminal(fd: number): boolean {
  const { isatty } = createRequire("/")("node:tty") as typeof import("node:tty");
  return isatty(fd);
}

/** What tells no size, such as a serial line, is taken for the smallest of terminals. */
function sizeOf({ columns, rows }: Partial<NodeJS.WriteStream>): { columns: number; rows: number } {
  return { columns: columns || 80, rows: rows || 24 };
}

/** Throws StoreFull, Unsupported where nothing can be written. */
function writeOutput(text: string): void {
  try {
    write(1, text);
  } catch (cause) {
    throw outputError(cause);
  }
}

/** Failures are told here, and one of this itself can be told nowhere. */
function writeError(text: string): void {
  try {
    write(2, text);
  } catch {}
}

/** Synchronous and without process.stdout, whose set-up takes longer than most verbs. */
function write(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (errnoOf(error) === "EPIPE") process.exit(PIPE_CLOSED);
      if (errnoOf(error) !== "EAGAIN") throw error;
      // Somebody else made the descriptor non-blocking: wait for the reader.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
