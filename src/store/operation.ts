/**
 * An operation that writes to the store: its directory in the inbox, where everything unfinished lies, and what it
 * relies on. The directory's name tells whether the process behind it still lives.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { storeError, writeFileDurably } from "../base/file.ts";
import { bootId, processStartTime } from "../base/process.ts";
import { randomHex } from "../base/random.ts";
import { inboxDirectory, type Store } from "./store.ts";
import { removeTree } from "./tree.ts";

/** Disposing of an operation removes its directory with everything in it. */
export type Operation = AsyncDisposable & {
  readonly store: Store;
  /** `<pid>-<start time>-<boot>-<random>` */
  readonly id: string;
  readonly directory: string;
  /** 1, 2, 3 …: tells parts of the operation's work apart. */
  nextNumber(): number;
  /** An empty directory that nobody else uses. */
  makeDirectory(name: string): Promise<string>;
  /**
   * Declares layers, blobs or images by their names (`sha256-…`) as in use, durably, before their existence is
   * checked: from then on garbage collection keeps them.
   */
  relyOn(names: readonly string[]): Promise<void>;
};

const REFERENCES = "references";
const ID = /^(\d+)-(\d+)-([0-9a-f]{8})-[0-9a-f]{12}$/;

/** Throws StoreFull. */
export async function beginOperation(store: Store): Promise<Operation> {
  const id = await newOperationId();
  const directory = join(inboxDirectory(store), id);
  await makeDirectory(directory);
  const relied = new Set<string>();
  let number = 0;
  return {
    store,
    id,
    directory,
    nextNumber: () => {
      number += 1;
      return number;
    },
    makeDirectory: (name) => makeDirectory(join(directory, name)),
    relyOn: async (names) => {
      for (const name of names) relied.add(name);
      await writeFileDurably(join(directory, REFERENCES), [...relied].join("\n"));
    },
    // What can't be removed now is a dead operation's later, and no reason to fail what was done.
    [Symbol.asyncDispose]: () => removeTree(directory).catch(() => {}),
  };
}

/** A name by which operationLives() can tell whether this process still runs. */
export async function newOperationId(): Promise<string> {
  const start = (await processStartTime(process.pid)) ?? 0;
  const boot = (await bootId()).slice(0, 8);
  return `${process.pid}-${start}-${boot}-${randomHex(6)}`;
}

async function makeDirectory(path: string): Promise<string> {
  try {
    await mkdir(path, { mode: 0o700 });
    return path;
  } catch (error) {
    throw storeError(error, path);
  }
}

/** Where an operation in `directory` keeps what it relies on. */
export function referencesPath(directory: string): string {
  return join(directory, REFERENCES);
}

/** Whether the process behind an operation still runs; what has another form of name is nobody's. */
export async function operationLives(id: string): Promise<boolean> {
  const [, pid, start, boot] = ID.exec(id) ?? [];
  if (pid === undefined || boot !== (await bootId()).slice(0, 8)) return false;
  return (await processStartTime(Number(pid))) === Number(start);
}
