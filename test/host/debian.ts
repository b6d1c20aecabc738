/** Debian roots of any suite, made once and cached in build/cache. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { promisify } from "node:util";
import { errnoOf, GantryError } from "../../src/base/errors.ts";
import { quoted } from "../../src/base/text.ts";
import { BUILD } from "./machine.ts";

/** What a root needs to boot as a test host, on top of minbase. */
export const BOOTABLE = [
  "dbus",
  "iproute2",
  "libpam-systemd",
  "polkitd",
  "procps",
  "systemd-sysv",
  "util-linux",
] as const;

export type DebianRoot = {
  /** An uncompressed tar of the root. */
  readonly archive: string;
  /** The same, unpacked: for HostOptions.root. Shared by all tests: read only. */
  readonly directory: string;
};

/**
 * A minbase root of `suite` ("bookworm", "trixie", …) with `packages`, from the cache or, in about a minute, from the
 * Debian archive. Throws FetchFailed with the archive's own words if it cannot be reached.
 */
export async function debianRoot(suite: string, packages: readonly string[] = BOOTABLE): Promise<DebianRoot> {
  const cache = `${BUILD}/cache`;
  const wanted = [...new Set(packages)].sort();
  const key = createHash("sha256").update(JSON.stringify(wanted)).digest("hex").slice(0, 12);
  const archive = `${cache}/debian-${suite}-${key}.tar`;
  const directory = `${cache}/debian-${suite}-${key}`;
  await mkdir(cache, { recursive: true });
  if (!existsSync(archive))
    await makeAtomically(archive, (part) => fetchRoot(suite, wanted, `${part}/root.tar`));
  if (!existsSync(directory)) await makeAtomically(directory, (part) => unpackRoot(archive, `${part}/root`));
  return { archive, directory };
}

/** `make` returns what it made inside the directory given to it; whoever finishes first wins. */
async function makeAtomically(target: string, make: (part: string) => Promise<string>): Promise<void> {
  const part = await mkdtemp(`${BUILD}/cache/.part-`);
  try {
    await rename(await make(part), target);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) throw error;
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

async function fetchRoot(suite: string, packages: readonly string[], archive: string): Promise<string> {
  const trimmed = ["doc", "man", "locale"].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`);
  const wanted = packages.length === 0 ? [] : [`--include=${packages.join(",")}`];
  // The Release file of sid is valid for a week only, and mirrors lag.
  const apt = ['--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Check-Valid-Until "false"'];
  const fixed = ["--quiet", "--mode=root", "--variant=minbase", `--keyring=${KEYRING}`];
  await command("mmdebstrap", [...fixed, ...apt, ...trimmed, ...wanted, suite, archive], {
    failure: `cannot make a Debian ${suite} root with ${packages.join(" ") || "nothing added"}`,
    temporary: archive.slice(0, archive.lastIndexOf("/")),
  });
  return archive;
}

async function unpackRoot(archive: string, directory: string): Promise<string> {
  await mkdir(directory);
  await command(
    "tar",
    ["-xpf", archive, "-C", directory, "--numeric-owner", "--xattrs", "--xattrs-include=*"],
    {
      failure: `cannot unpack ${archive}`,
      temporary: "/tmp",
    },
  );
  return directory;
}

type Context = { readonly failure: string; readonly temporary: string };

async function command(
  program: string,
  parameters: string[],
  { failure, temporary }: Context,
): Promise<void> {
  const env = { ...process.env, TMPDIR: temporary, LC_ALL: "C.UTF-8" };
  try {
    await promisify(execFile)(program, parameters, { env, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    throw new GantryError("FetchFailed", `${failure}: ${quoted(said.trim().slice(-600), 600)}`, {
      cause: error,
    });
  }
}
