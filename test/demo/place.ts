/** Where the demo runs: this host, if systemd is its PID 1, else a test host of its own. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
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

/** An installed Gantry is what is shown; else build/root is laid over this host, and whatever that adds goes again. */
async function useThisHost(): Promise<Place> {
  if (existsSync("/usr/bin/gantry")) {
    const nothing = async (): Promise<void> => {};
    return {
      description: "this host, with the Gantry it has",
      exec: execHere,
      [Symbol.asyncDispose]: nothing,
    };
  }
  const root = join(BUILD, "root");
  const paths = (await readdir(root, { recursive: true })).map((path) => `/${path}`);
  const added = [...paths, "/var/lib/gantry"].filter((path) => !existsSync(path)).sort();
  await cp(root, "/", { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  await execHere(["systemctl", "daemon-reload"]);
  return {
    description: "this host; build/root is installed meanwhile",
    exec: execHere,
    [Symbol.asyncDispose]: async () => {
      for (const path of added.reverse()) await rm(path, { recursive: true, force: true });
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
