/** Removal of whole trees. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";

const run = promisify(execFile);

/**
 * Removes whatever is at `path`; nothing there is fine. By rm(1), which walks by descriptors: a layer may hold paths
 * that are longer than the kernel takes in one piece. It stays on one file system, so that a mount forgotten inside
 * costs no data.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await run("rm", ["-rf", "--one-file-system", "--", path], {
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    });
  } catch (cause) {
    throw new GantryError("StoreCorrupt", `${quoted(path)} can't be removed: ${textOf(cause)}`, { cause });
  }
}

function textOf(cause: unknown): string {
  const { stderr, signal } = cause as { readonly stderr?: unknown; readonly signal?: unknown };
  if (typeof signal === "string") return `rm was ended by ${signal}`;
  return typeof stderr === "string" ? (stderr.trim().split("\n")[0] ?? "") : String(cause);
}
