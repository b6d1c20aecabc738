/** The Debian packages: a tree, control files, and what dpkg-shlibdeps computes. */
import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { output } from "./command.ts";
import { writeDocuments } from "./documents.ts";
import { programs } from "./elf.ts";
import { stage } from "./staging.ts";

export type Flavour = {
  /** Behind the version. `~` sorts before nothing: on a host that has both, the flavour without a runtime is newer. */
  readonly suffix: "" | "~bundled";
  readonly depends: readonly string[];
  readonly description: string;
};

export type Build = { readonly version: string; readonly directory: string };

const PACKAGE = "gantry";

/** The programs are started by systemd, and talk to it and to polkit over the system bus. */
const DEPENDS = ["default-dbus-system-bus | dbus-system-bus", "systemd (>= 252)"];

export const FLAVOURS: readonly Flavour[] = [
  {
    suffix: "",
    depends: ["nodejs (>= 20)", ...DEPENDS],
    description: "It uses the distribution's Node.js.",
  },
  {
    suffix: "~bundled",
    depends: DEPENDS,
    description: "It carries a Node.js of its own, for hosts that have none or an older one.",
  },
];

const SCRIPTS = ["postinst", "prerm", "postrm"];

/** Builds the package and returns its path. */
export async function buildDeb(flavour: Flavour, build: Build): Promise<string> {
  const runtime = flavour.suffix === "~bundled";
  const version = `${build.version}${flavour.suffix}`;
  await using staging = await stage({ runtime });
  const { tree } = staging;
  const architecture = (await output(["dpkg", "--print-architecture"])).trim();
  await writeDocuments(join(tree, "usr/share/doc", PACKAGE), { version, runtime });
  await writeControl(tree, {
    "@PACKAGE@": PACKAGE,
    "@VERSION@": version,
    "@ARCHITECTURE@": architecture,
    "@DEPENDS@": [...flavour.depends, ...(await libraryPackages(tree))].join(", "),
    "@FLAVOUR@": flavour.description,
  });
  const file = join(build.directory, `${PACKAGE}_${version}_${architecture}.deb`);
  // With a runtime inside, level 1 takes 6 s and makes 30 MB, level 6 more than a minute and 25 MB; the archive takes no zstd.
  await output(["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--build", tree, file]);
  return file;
}

/** What the shared libraries of the programs are packaged as. */
async function libraryPackages(tree: string): Promise<string[]> {
  const source = await mkdtemp(join(tmpdir(), "gantry-shlibdeps-"));
  try {
    await mkdir(join(source, "debian"));
    const control = "Source: gantry\n\nPackage: gantry\nArchitecture: any\n";
    await writeFile(join(source, "debian/control"), control);
    const dynamic = (await programs(tree)).flatMap((path) => ["-e", path]);
    // Warning 1 only is off: an addon's symbols are its loader's.
    const answer = await output(["dpkg-shlibdeps", "-O", "--warnings=6", ...dynamic], { cwd: source });
    return answer
      .trim()
      .replace(/^shlibs:Depends=/, "")
      .split(", ");
  } finally {
    await rm(source, { recursive: true });
  }
}

async function writeControl(tree: string, values: Readonly<Record<string, string>>): Promise<void> {
  const control = join(tree, "DEBIAN");
  const sums = await checksums(tree);
  const size = await output(["du", "--summarize", "--apparent-size", "--block-size=1024", tree]);
  await mkdir(control);
  await writeFile(join(control, "md5sums"), sums);
  const template = await readFile("packaging/debian/control", "utf8");
  const filled = Object.entries({ ...values, "@INSTALLED_SIZE@": size.split("\t")[0] ?? "0" }).reduce(
    (text, [mark, value]) => text.replaceAll(mark, value),
    template,
  );
  await writeFile(join(control, "control"), filled);
  for (const script of SCRIPTS) {
    await copyFile(`packaging/debian/${script}`, join(control, script));
    await chmod(join(control, script), 0o755);
  }
}

/** For `dpkg --verify`: the md5sums of deb-md5sums(5). */
async function checksums(tree: string): Promise<string> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const lines = await Promise.all(
    paths.sort().map(async (path) => {
      const sum = createHash("md5")
        .update(await readFile(path))
        .digest("hex");
      return `${sum}  ${relative(tree, path)}\n`;
    }),
  );
  return lines.join("");
}
