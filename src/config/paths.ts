/** Where things are on this machine. The values come from the command line once and are passed down. */
import { join } from "node:path";

export type Paths = {
  /** The data directory, `/var/lib/gantry` unless `--dir` says otherwise. */
  readonly data: string;
  /** Runtime directory of pods. systemd makes it for each pod's unit, so it does not follow `--dir`. */
  readonly run: string;
  /** The native programs: gantry-stage1, gantry-sandbox, gantry-record, gantry-unpack, gantry-pack, gantry-audit, gantry-filter. */
  readonly libexec: string;
};

export const DEFAULT_PATHS: Paths = {
  data: "/var/lib/gantry",
  run: "/run/gantry",
  libexec: "/usr/lib/gantry",
};

export function podsDirectory(paths: Paths): string {
  return join(paths.data, "pods");
}

export function podDirectory(paths: Paths, uuid: string): string {
  return join(paths.data, "pods", uuid);
}

export function namesDirectory(paths: Paths): string {
  return join(paths.data, "names");
}

export function idsDirectory(paths: Paths): string {
  return join(paths.data, "ids");
}

/** What operators accepted unsigned for installed pods. */
export function acceptedDirectory(paths: Paths): string {
  return join(paths.data, "accepted");
}

/** Where installed pods are defined, in the order of precedence: a definition in /etc masks the vendor's. */
export const DEFINITION_DIRECTORIES = ["/etc/gantry/pods", "/usr/lib/gantry/pods"] as const;

/** The socket of an installed pod's sandbox: its unit's runtime directory carries the pod's name. */
export function installedSocket(paths: Paths, name: string): string {
  return join(paths.run, "pods", name, "io");
}

/** Leads to the directory of the pod that `gantry@<name>.service` started last; gone with the unit's end. */
export function installedLink(paths: Paths, name: string): string {
  return join(paths.run, "pods", name, "pod");
}

/** The socket of a pod's sandbox (docs/launch-plan.md). */
export function podSocket(paths: Paths, uuid: string): string {
  return join(paths.run, "pods", uuid, "io");
}
