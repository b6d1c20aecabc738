/**
 * What a fetcher finds of its operation's directory: a root with what it takes to start, the inbox it writes, FIFOs for the
 * conversation and for layers. The directories in the inbox are root's and sticky: the fetcher makes files in them,
 * and can't put links in their place (openContestedDirectory() relies on it).
 */
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { storeError } from "../base/file.ts";
import type { Operation } from "../store/operation.ts";
import type { Bind } from "../systemd/confinement.ts";
import { furnishRoot } from "../systemd/sealed-root.ts";
import { LAYERS, NETWORK_FILES } from "./fetch-unit.ts";
import { createFifos, type Fifo, holdFifo } from "./fifo.ts";

export type Place = AsyncDisposable & {
  readonly root: string;
  /** What of the host is to be bound into it. */
  readonly bound: readonly Bind[];
  readonly inbox: string;
  /** Where the FIFOs of layers are; the fetcher can open them and nothing else. */
  readonly layers: string;
  readonly input: Fifo;
  readonly output: Fifo;
  /** For the layer that is asked for first. */
  readonly first: Fifo;
};

const READABLE = 0o755;
/** A layer's FIFO: written by the fetcher's user, which is not known here; read by systemd for the unpacker. */
export const LAYER_MODE = 0o622;
const FIRST = "first";
/** Everybody: only root and the fetcher get there, and its user is not known before it runs. */
const WRITABLE = 0o1777;

/** Makes it; the disposal closes the FIFOs, and the operation's own removes everything. Throws StoreFull. */
export async function makePlace({ directory }: Operation): Promise<Place> {
  const [root, inbox, layers] = [
    join(directory, "fetch-root"),
    join(directory, "fetch"),
    join(directory, "fetch-layers"),
  ];
  await makeDirectory(root, READABLE);
  const bound = await furnish(root);
  await makeDirectory(inbox, WRITABLE);
  await makeDirectory(join(inbox, LAYERS), READABLE);
  await makeDirectory(join(inbox, "blobs"), READABLE);
  for (const algorithm of ["sha256", "sha512"])
    await makeDirectory(join(inbox, "blobs", algorithm), WRITABLE);
  await makeDirectory(layers, READABLE);
  const paths = [join(directory, "fetch-in"), join(directory, "fetch-out"), join(layers, FIRST)] as const;
  const held: Fifo[] = [];
  const hold = async (path: string) => {
    const fifo = await holdFifo(path);
    held.push(fifo);
    return fifo;
  };
  try {
    await createFifos(paths, 0o600);
    const [input, output, first] = [await hold(paths[0]), await hold(paths[1]), await hold(paths[2])];
    await chmod(first.path, LAYER_MODE);
    return {
      ...{ root, bound, inbox, layers, input, output, first },
      [Symbol.asyncDispose]: () => close(held),
    };
  } catch (error) {
    await close(held);
    throw error;
  }
}

async function furnish(root: string): Promise<readonly Bind[]> {
  try {
    return await furnishRoot(root, NETWORK_FILES);
  } catch (error) {
    throw storeError(error, root);
  }
}

async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path);
    // Not left to the umask.
    await chmod(path, mode);
  } catch (error) {
    throw storeError(error, path);
  }
}

async function close(fifos: readonly Fifo[]): Promise<void> {
  for (const fifo of fifos) await fifo[Symbol.asyncDispose]();
}
