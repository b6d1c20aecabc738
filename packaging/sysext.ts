/** The system extension (systemd-sysext(8)): /usr only, for any distribution, with everything a host may lack. */
import { existsSync } from "node:fs";
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { output } from "./command.ts";
import { writeDocuments } from "./documents.ts";
import { COMPILER_LIBRARIES, RUNTIME } from "./runtime.ts";
import { stage } from "./staging.ts";

export type Build = { readonly version: string; readonly directory: string };

const NAME = "gantry";
const SELF_CONTAINED = "build/native-self-contained";
/** What is linked to libraries that a host may lack. */
const LINKED = ["unpack/gantry-unpack", "pack/gantry-pack", "audit/gantry-audit", "filter/gantry-filter"];
/** os-release(5)'s ARCHITECTURE= by Node's word for it. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x86-64", arm64: "arm64" };

/** Builds the image and returns its path. */
export async function buildSysext({ version, directory }: Build): Promise<string> {
  await using staging = await stage({ runtime: true });
  const { tree } = staging;
  await carryPrograms(tree);
  await carryCompilerLibraries(tree);
  await writeDocuments(join(tree, "usr/share/doc", NAME), { version, runtime: true });
  await writeRelease(tree);
  await upholdTimer(tree);
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  const file = join(directory, `${NAME}-${version}-${architecture}.raw`);
  await rm(file, { force: true });
  await output(["mksquashfs", tree, file, "-comp", "zstd", "-all-root", "-no-progress", "-quiet"]);
  return file;
}

/** A host without package manager may have no libarchive: these programs bring what they need of it. */
async function carryPrograms(tree: string): Promise<void> {
  if (!existsSync(`${SELF_CONTAINED}/build.ninja`)) {
    const options = ["--prefix=/usr", "--libexecdir=lib/gantry", "-Dself_contained=true"];
    await output(["meson", "setup", SELF_CONTAINED, "native", ...options]);
  }
  await output(["ninja", "-C", SELF_CONTAINED, ...LINKED]);
  for (const program of LINKED) {
    const target = join(tree, "usr/lib/gantry", basename(program));
    await copyFile(`${SELF_CONTAINED}/${program}`, target);
    await output(["strip", "--strip-unneeded", target]);
  }
}

/** Beside the runtime, where only it looks: in a directory of the linker they would replace the host's own. */
async function carryCompilerLibraries(tree: string): Promise<void> {
  const libraries = join(tree, "usr/lib/gantry/libraries");
  await mkdir(libraries);
  for (const name of COMPILER_LIBRARIES) {
    const path = await output(["gcc", `-print-file-name=${name}`]);
    await copyFile(path.trim(), join(libraries, name));
  }
  await output(["patchelf", "--set-rpath", "$ORIGIN/libraries", join(tree, RUNTIME)]);
}

/** ID=_any fits every distribution: nothing of the host is needed but glibc and systemd. The manager reloads from 255 on. */
async function writeRelease(tree: string): Promise<void> {
  const lines = ["ID=_any", `ARCHITECTURE=${ARCHITECTURES[process.arch]}`, "EXTENSION_RELOAD_MANAGER=1"];
  await writeLines(tree, `extension-release.d/extension-release.${NAME}`, lines);
}

/**
 * The manager has read its targets when an extension is merged at boot, and starts what they want of it only if it is
 * told to uphold it, now that it has reloaded (systemd-sysext(8)).
 */
async function upholdTimer(tree: string): Promise<void> {
  await writeLines(tree, "systemd/system/timers.target.d/10-gantry.conf", [
    "[Unit]",
    "Upholds=gantry-gc.timer",
  ]);
}

async function writeLines(tree: string, path: string, lines: readonly string[]): Promise<void> {
  const file = join(tree, "usr/lib", path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${lines.join("\n")}\n`);
}
