/**
 * FIFOs between units. Whoever makes one holds it open for reading and writing: then nobody who opens it has to wait for
 * the other side, systemd included, and nobody meets its end too early. Nothing here waits in a thread: there are few.
 */
import { execFile } from "node:child_process";
import { constants, open as openDescriptor } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { Socket } from "node:net";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { GantryError } from "../base/errors.ts";
import { unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";

const run = promisify(execFile);

export type Fifo = AsyncDisposable & {
  readonly path: string;
  /** Stops holding it: its reader then meets the end once all writers have gone. */
  release(): Promise<void>;
};

/** Makes a FIFO of this mode; the disposal removes it. Throws StoreFull. */
export async function makeFifo(path: string, mode: number): Promise<Fifo> {
  await createFifos([path], mode);
  return await holdFifo(path);
}

/** Holds a FIFO that was made; the disposal removes it. */
export async function holdFifo(path: string): Promise<Fifo> {
  let holding: FileHandle | undefined = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
  const release = async () => {
    const last = holding;
    holding = undefined;
    await last?.close();
  };
  return {
    path,
    release,
    [Symbol.asyncDispose]: async () => {
      await release();
      await unlessMissing(unlink(path));
    },
  };
}

/** Makes FIFOs of this mode, in one process: Node has no mkfifo(3). Throws StoreFull. */
export async function createFifos(paths: readonly string[], mode: number): Promise<void> {
  try {
    const environment = { PATH: "/usr/bin:/bin", LC_ALL: "C" };
    await run("mkfifo", [`--mode=${mode.toString(8)}`, "--", ...paths], { env: environment });
  } catch (cause) {
    const [first = ""] = paths;
    const { stderr = "" } = cause as { readonly stderr?: string };
    if (/No space left|Disk quota/.test(stderr)) {
      const hint = "remove an image with gantry image rm, or pods with gantry rm";
      throw new GantryError("StoreFull", `no space is left in ${quoted(dirname(first))}`, { cause, hint });
    }
    throw new GantryError("Internal", `the FIFO ${quoted(first)} can't be made: ${stderr.trim()}`, { cause });
  }
}

/** The reading end of a FIFO that is held. */
export async function readFifo({ path }: Fifo): Promise<Socket> {
  return new Socket({ fd: await descriptor(path, constants.O_RDONLY), readable: true, writable: false });
}

/** The writing end. */
export async function writeFifo({ path }: Fifo): Promise<Socket> {
  return new Socket({ fd: await descriptor(path, constants.O_WRONLY), readable: false, writable: true });
}

/** By the callback interface: the promises' handle would close itself when it is collected. */
async function descriptor(path: string, flags: number): Promise<number> {
  return await promisify(openDescriptor)(path, flags | constants.O_NONBLOCK);
}
