/** Programs and their libraries. */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { output } from "./command.ts";

/** Paths of the ELF files below `tree`: programs, libraries and addons. */
export async function programs(tree: string): Promise<string[]> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const elf = await Promise.all(paths.map(isElf));
  return paths.filter((_, index) => elf[index]).sort();
}

async function isElf(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
  return buffer.toString("latin1") === "\x7fELF";
}

/** The sonames that an ELF file asks for (DT_NEEDED). */
export async function neededLibraries(path: string): Promise<string[]> {
  const dynamic = await output(["readelf", "--dynamic", "--wide", path]);
  return [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1] ?? "");
}
