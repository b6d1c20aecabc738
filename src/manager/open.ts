/** Who does the work for a command line: this process for root, the agent for everybody else. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Environment } from "../config/caller-files.ts";
import { DEFAULT_PATHS, type Paths } from "../config/paths.ts";
import type { Authentication } from "./agent-link.ts";
import type { Installer } from "./installer.ts";
import type { PodManager } from "./manager.ts";

export type Caller = {
  readonly paths: Paths;
  readonly uid: number;
  readonly environment?: Environment;
  /** For callers who are not root: asks the user for a password when polkit wants one. */
  readonly authentication?: Authentication;
};

/** Opens the manager of a caller. Throws AccessDenied for a data directory that the agent does not work on. */
export async function openManager(caller: Caller): Promise<PodManager> {
  if (caller.uid === 0) return (await import("./local.ts")).localManager(caller);
  refuseForeignDirectory(caller);
  return (await import("./remote.ts")).remoteManager(caller);
}

/** Opens the installer of a caller, in the same way. */
export async function openInstaller(caller: Caller): Promise<Installer> {
  if (caller.uid === 0) return (await import("./local.ts")).localInstaller(caller);
  refuseForeignDirectory(caller);
  return (await import("./remote-installer.ts")).remoteInstaller(caller);
}

/** The agent has one data directory; who could name it another one could have it read and write anywhere. */
export function refuseForeignDirectory({ paths }: Caller): void {
  if (paths.data === DEFAULT_PATHS.data) return;
  throw new GantryError("AccessDenied", `only root may work on ${quoted(paths.data)}`);
}
