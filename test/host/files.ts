/** Files that go into a host, and come out of it. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { copyFile, cp, mkdir, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { GantryError } from "../../src/base/errors.ts";
import { quoted } from "../../src/base/text.ts";
import { type Door, runRaw, runThrough } from "./enter.ts";
import type { Place } from "./supervisor.ts";

export type File = { readonly content: string | Buffer; readonly mode: number };

/** Writes a file. Through the host's own mount namespace: symbolic links are followed there and not on the machine. */
export async function put(door: Door, path: string, { content, mode }: File): Promise<void> {
  const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
  const argv = ["sh", "-c", script, "put", path, mode.toString(8)];
  const { status, stderr } = await runThrough(door, argv, { input: content });
  if (status !== 0)
    throw new GantryError("LaunchFailed", `cannot write ${quoted(path)} in ${door.host}: ${stderr}`);
}

/** Throws LaunchFailed if the file cannot be read. */
export async function get(door: Door, path: string): Promise<Buffer> {
  const { status, stdout, stderr } = await runRaw(door, ["cat", "--", path]);
  if (status === 0) return stdout;
  throw new GantryError(
    "LaunchFailed",
    `cannot read ${quoted(path)} in ${door.host}: ${stderr.toString("utf8")}`,
  );
}

/** Console and journal of a host, also as text, into a directory of the machine. */
export async function saveLogs({ directory }: Place, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  const logs = readdirSync(directory).filter((file) => file === "stages.log" || file.startsWith("console."));
  await Promise.all(logs.map((file) => copyFile(`${directory}/${file}`, `${target}/${file}`)));
  if (!existsSync(`${directory}/journal`)) return;
  await cp(`${directory}/journal`, `${target}/journal`, { recursive: true, force: true });
  const { stdout } = await promisify(execFile)(
    "journalctl",
    ["-D", `${directory}/journal`, "-o", "short-precise"],
    {
      maxBuffer: 256 * 1024 * 1024,
    },
  );
  await writeFile(`${target}/journal.txt`, stdout);
}
