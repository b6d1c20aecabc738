/** The tree that a package consists of. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { output } from "./command.ts";
import { programs } from "./elf.ts";
import { installRuntime } from "./runtime.ts";

export type StagingOptions = {
  /** Whether the tree carries Node. */
  readonly runtime: boolean;
};

export type Staging = AsyncDisposable & { readonly tree: string };

/** Lays out /usr as it is installed: programs, units, bus, polkit, completions and manual. Its disposal removes it. */
export async function stage({ runtime }: StagingOptions): Promise<Staging> {
  await setSourceDate();
  const tree = await mkdtemp(join(tmpdir(), "gantry-package-"));
  // mkdtemp's 0700 would become the mode of the host's "/".
  await chmod(tree, 0o755);
  const staging = { tree, [Symbol.asyncDispose]: () => rm(tree, { recursive: true, force: true }) };
  try {
    await output(["sh", "packaging/install-tree.sh", tree]);
    for (const program of await programs(tree)) await output(["strip", "--strip-unneeded", program]);
    if (runtime) await installRuntime(tree);
  } catch (error) {
    await staging[Symbol.asyncDispose]();
    throw error;
  }
  return staging;
}

/** Times inside of packages are those of the sources, so that the same sources make the same package. */
async function setSourceDate(): Promise<void> {
  const committed = output(["git", "log", "-1", "--format=%ct"]).catch(() => "0");
  process.env["SOURCE_DATE_EPOCH"] ??= (await committed).trim();
}
