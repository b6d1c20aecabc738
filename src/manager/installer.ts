/**
 * The one interface to installed pods, in process (local.ts) and over the bus (remote-installer.ts). Methods throw
 * GantryError with the kinds named.
 */
import type { PrepareOptions } from "./manager.ts";

export type Installation = {
  /** The definition, and the file it comes from, which names the pod unless its manifest does. */
  readonly text: string;
  readonly origin: string;
} & Pick<PrepareOptions, "insecureOptions" | "uid" | "pullPolicy" | "watchFetch" | "credentials">;

/** An installed pod as a listing has it. */
export type Installed = {
  readonly name: string;
  readonly unit: string;
  /** Where the definition lies. */
  readonly path: string;
};

export type InstalledPod = {
  readonly uuid: string;
  /** `gantry@<name>.service` */
  readonly unit: string;
  /** Where the definition lies. */
  readonly path: string;
  readonly warnings: readonly string[];
};

export type Installer = AsyncDisposable & {
  list(): Promise<Installed[]>;
  /**
   * Installs a pod: its definition is checked, its images are there, and it is prepared when this returns. Throws what
   * preparing throws; PodExists when the name belongs to a pod that is not installed.
   */
  install(installation: Installation): Promise<InstalledPod>;
  /**
   * Makes an installed pod ready for its next start: prepared anew if its definition has changed, else with its images
   * judged again if trust has. Throws as install(), NoSuchPod.
   */
  refresh(name: string): Promise<InstalledPod>;
  /**
   * Takes a definition away; what was prepared from it goes with the next garbage collection after its end. Throws
   * NoSuchPod, AccessDenied for a vendor's definition. Gives the definition's path.
   */
  uninstall(name: string): Promise<string>;
};
