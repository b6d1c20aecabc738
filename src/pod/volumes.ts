/** Which volume an app sees where (appc sections 3.1 and 6.1). Pure. */
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { AppVolume } from "./draft.ts";
import type { App, PodApp, PodManifest, Volume, VolumeMount } from "./manifest.ts";
import type { Images } from "./reify.ts";

/** An empty volume that has to be made; `directory` is relative to the pod's. */
export type EmptyVolume = Extract<Volume, { kind: "empty" }> & { readonly directory: string };

export type PodVolumes = {
  readonly byApp: ReadonlyMap<string, readonly AppVolume[]>;
  readonly empty: readonly EmptyVolume[];
  /** Sources on the host that must exist. */
  readonly host: readonly { readonly name: string; readonly source: string }[];
  /** Mount points for which a volume was made up. */
  readonly implicit: readonly ImplicitVolume[];
};

/** `copied`: stage1 makes it, of what the image has there, as Docker does; else it is an empty one. */
export type ImplicitVolume = { readonly app: string; readonly path: string; readonly copied: boolean };

export type Surroundings = { readonly podDirectory: string; readonly images: Images };

type Found = {
  readonly path: string;
  readonly volume: Volume;
  readonly readOnly: boolean;
  readonly own: string;
  /** Whether nobody named a volume for it. */
  readonly implicit: boolean;
  readonly copied: boolean;
};

const NAMED = { implicit: false, copied: false };

/**
 * Resolves every mount of every app. Throws BadVolume for a mount without its volume, a volume without a mount, and paths
 * that collide.
 */
export function resolveVolumes(manifest: PodManifest, { podDirectory, images }: Surroundings): PodVolumes {
  const named = volumesByName(manifest);
  const used = new Map<string, Volume>();
  const implicit: ImplicitVolume[] = [];
  const mounted = new Set<Volume>();
  const byApp = new Map<string, AppVolume[]>();
  for (const app of manifest.apps) {
    const open = mountPoints(app, { named, copied: asksForContent(images, app) });
    const found = [...explicitMounts(app, named), ...open];
    refuseCollision(app.name, found);
    implicit.push(...open.filter((one) => one.implicit).map((one) => implicitOf(app.name, one)));
    for (const one of found) {
      mounted.add(one.volume);
      if (!one.copied) used.set(one.own, one.volume);
    }
    byApp.set(app.name, found.map((one) => appVolume(one, podDirectory)).sort(byDepth));
  }
  refuseUnused(manifest, mounted);
  return { byApp, implicit, ...partition(used) };
}

/** Who names a volume wants to see it in an app. */
function refuseUnused({ volumes }: PodManifest, mounted: ReadonlySet<Volume>): void {
  const unused = volumes.find((volume) => !mounted.has(volume));
  if (unused === undefined) return;
  throw new GantryError("BadVolume", `volume ${quoted(unused.name)} is not mounted anywhere`, {
    hint: `add --mount volume=${unused.name},target=/path`,
  });
}

/** A VOLUME of Docker's begins as what the image has there; to appc an empty volume is empty. */
function asksForContent(images: Images, app: PodApp): boolean {
  const image = images.get(app.image.id);
  return image !== undefined && image.kind !== "appc";
}

function implicitOf(app: string, { path, copied }: Found): ImplicitVolume {
  return { app, path, copied };
}

function volumesByName(manifest: PodManifest): Map<string, Volume> {
  const named = new Map<string, Volume>();
  for (const volume of manifest.volumes) {
    if (named.has(volume.name))
      throw new GantryError("BadVolume", `duplicate volume name ${quoted(volume.name)}`);
    named.set(volume.name, volume);
  }
  return named;
}

function explicitMounts(app: PodApp, named: ReadonlyMap<string, Volume>): Found[] {
  return app.mounts.map((mount) => {
    const volume = mount.appVolume ?? named.get(mount.volume);
    if (volume === undefined) throw dangling(app.name, mount);
    const own = mount.appVolume === undefined ? volume.name : `${app.name}.${volume.name}`;
    const readOnly = readOnlyOf(volume, app.app, mount.path);
    return { path: clean(mount.path), volume, own, readOnly, ...NAMED };
  });
}

function dangling(app: string, mount: VolumeMount): GantryError {
  const text = `app ${quoted(app)}: dangling mount point ${quoted(mount.path)}: volume ${quoted(mount.volume)} not found`;
  return new GantryError("BadVolume", text, {
    hint: `add --volume ${mount.volume},kind=empty or --volume ${mount.volume},kind=host,source=/path`,
  });
}

type Open = { readonly named: ReadonlyMap<string, Volume>; readonly copied: boolean };

/** The image's mount points that no mount of the manifest covers: by volume name, else a volume of the app's own. */
function mountPoints(app: PodApp, { named, copied }: Open): Found[] {
  const covered = new Set(app.mounts.map((mount) => clean(mount.path)));
  const open = (app.app?.mountPoints ?? []).filter((point) => !covered.has(clean(point.path)));
  return open.map((point) => {
    const path = clean(point.path);
    const volume = named.get(point.name);
    if (volume !== undefined)
      return { path, volume, own: volume.name, readOnly: volume.readOnly ?? point.readOnly, ...NAMED };
    const own = `${app.name}.${point.name}`;
    return {
      path,
      volume: implicitVolume(point.name),
      own,
      readOnly: point.readOnly,
      implicit: true,
      copied,
    };
  });
}

function implicitVolume(name: string): Volume {
  return { name, kind: "empty", mode: "0755", uid: 0, gid: 0 };
}

/** The volume's own word counts, else that of the mount point at this path. */
function readOnlyOf(volume: Volume, app: App | undefined, path: string): boolean {
  const point = app?.mountPoints.find((candidate) => clean(candidate.path) === clean(path));
  return volume.readOnly ?? point?.readOnly ?? false;
}

function refuseCollision(app: string, found: readonly Found[]): void {
  const seen = new Set<string>();
  for (const { path } of found) {
    if (path === "/")
      throw new GantryError("BadVolume", `app ${quoted(app)}: a volume cannot replace the root directory`);
    if (seen.has(path))
      throw new GantryError("BadVolume", `app ${quoted(app)}: two volumes at ${quoted(path)}`);
    seen.add(path);
  }
}

/** Without repeated and trailing slashes; `..` is resolved by nobody but the kernel, inside the root, and refused. */
function clean(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes(".."))
    throw new GantryError("BadVolume", `mount path ${quoted(path)} must not contain ".."`);
  return `/${parts.join("/")}`;
}

function appVolume({ path, volume, own, readOnly, copied }: Found, podDirectory: string): AppVolume {
  const source = volume.kind === "host" ? volume.source : emptyDirectory(podDirectory, own);
  return { path, source, readOnly, recursive: volume.kind === "host" && volume.recursive, copied };
}

function emptyDirectory(podDirectory: string, own: string): string {
  return join(podDirectory, "volumes", own);
}

/** Outer targets first, so that an inner one is not hidden. */
function byDepth(a: AppVolume, b: AppVolume): number {
  return a.path.split("/").length - b.path.split("/").length || (a.path < b.path ? -1 : 1);
}

function partition(used: ReadonlyMap<string, Volume>): Pick<PodVolumes, "empty" | "host"> {
  const empty: EmptyVolume[] = [];
  const host: { name: string; source: string }[] = [];
  for (const [own, volume] of used) {
    if (volume.kind === "empty") empty.push({ ...volume, directory: join("volumes", own) });
    else host.push({ name: volume.name, source: volume.source });
  }
  return { empty, host };
}
