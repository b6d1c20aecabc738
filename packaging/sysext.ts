/** The system extension (systemd-sysext(8)): /usr only, for any distribution, with everything a host may lack. */
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { output } from "./command.ts";
import { writeDocuments } from "./documents.ts";
import { COMPILER_LIBRARIES, RUNTIME } from "./runtime.ts";
import { stage } from "./staging.ts";

export type Build = { readonly version: string; readonly directory: string };

const NAME = "gantry";
const NATIVE = "build/native-self-contained";
/** os-release(5)'s ARCHITECTURE= by Node's word for it. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x86-64", arm64: "arm64" };

/** Builds the image and returns its path. */
export async function buildSysext({ version, directory }: Build): Promise<string> {
  await buildNative();
  await using staging = await stage({ native: NATIVE, runtime: true });
  const { tree } = staging;
  await carryCompilerLibraries(tree);
  await writeDocuments(join(tree, "usr/share/doc", NAME), { version, runtime: true });
  await writeRelease(tree);
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  const file = join(directory, `${NAME}-${version}-${architecture}.raw`);
  await rm(file, { force: true });
  await output(["mksquashfs", tree, file, "-comp", "zstd", "-all-root", "-no-progress", "-quiet"]);
  return file;
}

/** A host without package manager may have no libarchive: the unpacker brings what it needs of it. */
async function buildNative(): Promise<void> {
  await output(["sh", "packaging/build-native.sh", NATIVE, "-Dself_contained=true"]);
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
  const directory = join(tree, "usr/lib/extension-release.d");
  await mkdir(directory, { recursive: true });
  const lines = ["ID=_any", `ARCHITECTURE=${ARCHITECTURES[process.arch]}`, "EXTENSION_RELOAD_MANAGER=1"];
  await writeFile(join(directory, `extension-release.${NAME}`), `${lines.join("\n")}\n`);
}
