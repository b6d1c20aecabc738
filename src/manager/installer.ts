/** The interface to installed pods, which only root has. Methods throw GantryError with the kinds named. */

import type { PrepareOptions } from "./manager.ts";

export type Installation = {
  /** The definition, and the file it comes from, which names the pod unless its manifest does. */
  readonly text: string;
  readonly origin: string;
} & Pick<PrepareOptions, "insecureOptions" | "pullPolicy" | "watchFetch">;

export type InstalledPod = {
  readonly uuid: string;
  /** `gantry@<name>.service` */
  readonly unit: string;
  /** Where the definition lies. */
  readonly path: string;
  readonly warnings: readonly string[];
};

export type Installer = AsyncDisposable & {
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
