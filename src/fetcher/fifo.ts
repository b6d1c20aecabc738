/** Writing into FIFOs that the manager made, one for each layer. */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";

export type Sink = AsyncDisposable & {
  /** Hands bytes on, and waits while the reader has enough. Throws FetchFailed when nobody reads any more. */
  write(chunk: Buffer): Promise<void>;
  /** Tells the reader that this was all. */
  end(): Promise<void>;
};

/** How long a reader may take to appear, and how often it is looked for. */
const PATIENCE = 120_000;
const LOOK = 10;

/**
 * Opens a FIFO once somebody reads it. Never by a call that blocks: it would hold one of Node's few threads, and the
 * process could not end. Throws TimedOut when nobody comes, FetchFailed for what is no FIFO.
 */
export async function openFifo(path: string, patience = PATIENCE): Promise<Sink> {
  const until = performance.now() + patience;
  for (;;) {
    const fd = tryOpen(path);
    if (fd !== undefined) return sinkOf(fd, path);
    if (performance.now() > until) throw new GantryError("TimedOut", `nobody reads ${quoted(path)}`);
    await sleep(LOOK);
  }
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    // Nobody has it open for reading yet (open(2)).
    if (errnoOf(error) === "ENXIO") return undefined;
    throw new GantryError("FetchFailed", `${quoted(path)} can't be opened: ${errnoOf(error) ?? "error"}`, {
      cause: error,
    });
  }
}

function sinkOf(fd: number, path: string): Sink {
  if (!fstatSync(fd).isFIFO()) {
    closeSync(fd);
    throw new GantryError("FetchFailed", `${quoted(path)} is no FIFO`);
  }
  const socket = new Socket({ fd, readable: false, writable: true });
  let failure: Error | undefined;
  socket.on("error", (error) => {
    failure = error;
  });
  const gone = () =>
    new GantryError("FetchFailed", `nobody reads ${quoted(path)} any more`, { cause: failure });
  return {
    write: async (chunk) => {
      if (socket.destroyed) throw gone();
      if (socket.write(chunk)) return;
      await new Promise<void>((resolve) => {
        const done = () => {
          socket.off("drain", done).off("close", done);
          resolve();
        };
        socket.on("drain", done).on("close", done);
      });
    },
    end: async () => {
      if (socket.destroyed) throw gone();
      const closed = new Promise((resolve) => socket.on("close", resolve));
      socket.end(() => socket.destroy());
      await closed;
      if (failure !== undefined) throw gone();
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
    },
  };
}
