/** Where the demo runs: this host, if systemd is its PID 1, else a test host of its own. */
import { execFile } from "node:child_process";
import { cp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { files } from "../dist/tree.ts";
import { bootHost } from "../host/host.ts";
import { BUILD } from "../host/machine.ts";

export type Place = AsyncDisposable & {
  readonly description: string;
  /** Runs a command to its end; never rejects for its exit status. */
  readonly exec: (argv: readonly string[]) => Promise<Outcome>;
};

export type Outcome = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** A place with Gantry installed in it; its disposal takes away what was put there. */
export async function findPlace(): Promise<Place> {
  return (await isSystemd()) ? await useThisHost() : await useTestHost();
}

async function isSystemd(): Promise<boolean> {
  return (await readFile("/proc/1/comm", "utf8")).trim() === "systemd";
}

async function useTestHost(): Promise<Place> {
  const host = await bootHost({ name: "demo" });
  return {
    description: `a test host of its own, booted in ${host.bootMs} ms, since PID 1 of this machine is not systemd`,
    exec: (argv) => host.exec(argv, { timeoutMs: 120_000 }),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

/** A file that was there before is not ours to remove: then Gantry is installed, and that is what is shown. */
async function useThisHost(): Promise<Place> {
  const root = join(BUILD, "root");
  const installed = (await execHere(["test", "-e", "/usr/bin/gantry"])).status === 0;
  if (!installed) await cp(root, "/", { recursive: true, preserveTimestamps: true });
  if (!installed) await execHere(["systemctl", "daemon-reload"]);
  return {
    description: installed
      ? "this host, with the installed Gantry"
      : "this host; build/root is installed meanwhile",
    exec: execHere,
    [Symbol.asyncDispose]: async () => {
      if (installed) return;
      for (const file of await files(root)) await rm(file.slice(root.length), { force: true });
      await rm("/usr/lib/gantry", { recursive: true, force: true });
      await execHere(["systemctl", "daemon-reload"]);
    },
  };
}

async function execHere([program = "", ...args]: readonly string[]): Promise<Outcome> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { maxBuffer: 64 * 1024 * 1024 });
    return { status: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as Partial<Outcome> & { readonly code?: unknown };
    if (typeof code !== "number" || stdout === undefined || stderr === undefined) throw error;
    return { status: code, stdout, stderr };
  }
}
