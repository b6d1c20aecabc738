/** The Node that a self-contained package carries: the one that builds it. */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { GantryError } from "../src/base/errors.ts";
import { quoted } from "../src/base/text.ts";
import { output } from "./command.ts";
import { neededLibraries } from "./elf.ts";

/** What every host of glibc and systemd has, and the two that the compiler brings. */
export const COMPILER_LIBRARIES = ["libgcc_s.so.1", "libstdc++.so.6"];
const SYSTEM_LIBRARIES = ["libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "ld-linux-aarch64.so.1"];

/** Where the front looks first for its runtime. */
export const RUNTIME = "usr/lib/gantry/node";

/** Copies the running Node into `tree`. Throws Unsupported for one that is spread over shared libraries, as Debian's is. */
export async function installRuntime(tree: string): Promise<void> {
  const known = [...COMPILER_LIBRARIES, ...SYSTEM_LIBRARIES];
  const foreign = (await neededLibraries(process.execPath)).filter(
    (name) => !known.includes(name) && !name.startsWith("ld-linux"),
  );
  if (foreign.length > 0) {
    throw new GantryError(
      "Unsupported",
      `${quoted(process.execPath)} can't be carried: it needs ${foreign.join(", ")}`,
      { hint: "build with the Node that nodejs.org distributes" },
    );
  }
  const target = join(tree, RUNTIME);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(process.execPath, target);
  await output(["strip", "--strip-unneeded", target]);
}

/** The licence that goes with the runtime. Throws Unsupported when it can't be found. */
export async function runtimeLicence(): Promise<string> {
  const prefix = dirname(dirname(process.execPath));
  const places = ["LICENSE", "share/doc/nodejs/LICENSE", "share/doc/node/LICENSE"];
  const found = places.map((place) => join(prefix, place)).find((path) => existsSync(path));
  if (found !== undefined) return await readFile(found, "utf8");
  throw new GantryError(
    "Unsupported",
    `${quoted(process.execPath)} can't be carried: no ${basename(places[0] ?? "")} in ${quoted(prefix)}`,
  );
}
