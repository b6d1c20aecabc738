/** gantry-unpack as a child process: for a store that no systemd serves. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { GantryError } from "../base/errors.ts";
import { openRegular } from "../base/file.ts";
import { type UnpackEnd, type Unpacker, type UnpackRequest, unpackArguments } from "./unpacker.ts";

/** Runs `program` with the caller's own privileges. */
export function processUnpacker(program: string): Unpacker {
  return async (request) => {
    request.signal?.throwIfAborted();
    await using archive = await openRegular(request.archive.path);
    const child = spawn(program, await unpackArguments(request), {
      env: {},
      stdio: [archive.fd, "ignore", "inherit"],
      ...(request.signal === undefined ? {} : { signal: request.signal, killSignal: "SIGKILL" as const }),
    });
    return await endOf(child, request);
  };
}

async function endOf(child: ReturnType<typeof spawn>, request: UnpackRequest): Promise<UnpackEnd> {
  try {
    const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    return status === null ? { killed: String(signal) } : { status };
  } catch (cause) {
    if (request.signal?.aborted) throw new GantryError("Cancelled", "the import was cancelled", { cause });
    throw cause;
  }
}
