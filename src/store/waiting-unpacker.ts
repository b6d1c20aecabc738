/**
 * An unpacker that is started before it is known what for (docs/unpacker.md, --wait): systemd takes longer to start one
 * than a server to answer.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { storeError } from "../base/file.ts";
import type { Systemd } from "../systemd/systemd.ts";
import { runUnit } from "./unpack-unit.ts";
import { type Description, describingArguments, type Unpacker, type UnpackRequest } from "./unpacker.ts";

export type WaitingUnpacker = AsyncDisposable & {
  readonly into: string;
  /** Says what the archive is; to be called before anybody sends any of it. Throws StoreFull. */
  describe(description: Description): Promise<void>;
  /** Waits for its end; a request beyond the signal is what it was started with. */
  readonly unpacker: Unpacker;
};

export type WaitingOptions = Pick<UnpackRequest, "operation" | "part" | "into"> & {
  readonly systemd: Systemd;
  readonly program: string;
  /** The FIFO that the archive will come through. */
  readonly pipe: string;
};

/** Starts one, which waits for an archive; the disposal stops it. */
export function startUnpacker({ systemd, program, pipe, ...run }: WaitingOptions): WaitingUnpacker {
  const stop = new AbortController();
  const words = [program, "layer", `--into=${run.into}`, "--wait"];
  const ended = runUnit(systemd, { ...run, words, input: pipe, signal: stop.signal });
  // Who waits for it hears of a failure.
  ended.catch(() => {});
  return {
    into: run.into,
    describe: (description) => describe(run.into, description),
    unpacker: async ({ signal }) => {
      const abort = () => stop.abort();
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) abort();
      return await ended.finally(() => signal?.removeEventListener("abort", abort));
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ended.catch(() => {});
    },
  };
}

/** Nobody but root gets there: who sends the archive has no say in what it must be. */
async function describe(into: string, description: Description): Promise<void> {
  const path = join(into, "options");
  try {
    await writeFile(path, (await describingArguments(description)).join("\n"), { flag: "wx", mode: 0o600 });
  } catch (error) {
    throw storeError(error, path);
  }
}
