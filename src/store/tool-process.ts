/** gantry-pack and gantry-audit as child processes, with the caller's own privileges: where no systemd serves. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { type Tools, toolArguments } from "./tool.ts";

/** Runs the programs that `locate` names by their paths. */
export function processTools(locate: (program: string) => string): Tools {
  return async (run) => {
    const child = spawn(locate(run.program), toolArguments(run), {
      env: {},
      stdio: ["ignore", "ignore", "ignore"],
      ...(run.signal === undefined ? {} : { signal: run.signal, killSignal: "SIGKILL" as const }),
    });
    child.on("error", () => {});
    const [status, killed] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    if (run.signal?.aborted) throw new GantryError("Cancelled", `${run.program} was cancelled`);
    return status === null ? { killed: String(killed) } : { status };
  };
}

/** The installed programs. */
export function installedTools(libexec: string): Tools {
  return processTools((program) => join(libexec, program));
}
