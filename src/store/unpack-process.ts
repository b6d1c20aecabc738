/** gantry-unpack as a child process: for a store that no systemd serves. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { GantryError } from "../base/errors.ts";
import { openRegular } from "../base/file.ts";
import { type UnpackEnd, type Unpacker, type UnpackRequest, unpackArguments } from "./unpacker.ts";

/** Runs `program` with the caller's own privileges. */
export function processUnpacker(program: string): Unpacker {
  return async (request) => {
    await using archive = await openArchive(request);
    const child = spawn(program, await unpackArguments(request), {
      env: {},
      stdio: [archive.fd, "ignore", "inherit"],
    });
    return await endOf(child, request);
  };
}

/** A FIFO is opened for writing, too: only then nobody has to be there already, and reads wait. */
async function openArchive({ archive }: UnpackRequest): Promise<FileHandle> {
  return await ("pipe" in archive ? open(archive.pipe, constants.O_RDWR) : openRegular(archive.path));
}

async function endOf(child: ChildProcess, { signal }: UnpackRequest): Promise<UnpackEnd> {
  const kill = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", kill);
  if (signal?.aborted) kill();
  try {
    // Waited for even when aborted: whoever removes the directory must be alone in it.
    const [status, killed] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    if (signal?.aborted) throw new GantryError("Cancelled", "the import was cancelled");
    return status === null ? { killed: String(killed) } : { status };
  } finally {
    signal?.removeEventListener("abort", kill);
  }
}
