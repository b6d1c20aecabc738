/** Installing pods: a definition in /etc/gantry/pods, and a pod prepared from it for `gantry@<name>.service`. */
import { mkdir, rename, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { syncDirectory, unlessMissing, writeFileDurably } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { DEFINITION_DIRECTORIES } from "../config/paths.ts";
import { acceptedImages, acceptImages, forgetAccepted } from "../pod/acceptance.ts";
import { parseDocument } from "../pod/check.ts";
import {
  DEFINITION_STAMP,
  Definition,
  definitionPath,
  draftPath,
  listDefinitions,
  readDefinition,
} from "../pod/definition.ts";
import { discardPod, forgetApps, forgetUnits } from "../pod/end.ts";
import { podEntries, readDocument } from "../pod/layout.ts";
import { PodManifest } from "../pod/manifest.ts";
import { podOfName } from "../pod/names.ts";
import { preparePod } from "../pod/prepare.ts";
import { type Images, reifyManifest } from "../pod/reify.ts";
import { isAlive } from "../pod/state.ts";
import { podStatuses, readPod, type StoredPod } from "../pod/status.ts";
import { readTrustStamp } from "../pod/trust-stamp.ts";
import { installedUnits } from "../pod/unit-name.ts";
import { isName, MAX_NAME } from "../pod/words.ts";
import { openStore } from "../store/store.ts";
import { uncheckedBy } from "../trust/refusal.ts";
import type { Installation, Installed, InstalledPod } from "./installer.ts";
import type { Local } from "./local.ts";
import { type Resolved, resolveImages } from "./prepare.ts";
import { requireTrust } from "./recheck.ts";

const [ADMINISTRATORS] = DEFINITION_DIRECTORIES;

/** See Installer.list. */
export async function listInstalled(): Promise<Installed[]> {
  const definitions = await listDefinitions();
  return definitions.map(({ name, path }) => ({ name, path, unit: installedUnits(name).sandbox }));
}

export type Outline = { readonly name: string; readonly images: readonly string[] };

/** The pod that a definition is about. Throws BadManifest with file, line and key. */
export function outlineOf({ text, origin }: Pick<Installation, "text" | "origin">): Outline {
  const manifest = parseDefinition(text, origin, basename(origin, ".json"));
  return { name: manifest.name, images: imagesOf(manifest) };
}

/** The path of an installed pod's definition. Throws NoSuchPod. */
export async function requireInstalled(name: string): Promise<string> {
  return await definitionPath(name);
}

/** See Installer.install. */
export async function installPod(local: Local, installation: Installation): Promise<InstalledPod> {
  const { text, origin } = installation;
  const manifest = parseDefinition(text, origin, basename(origin, ".json"));
  const before = await installedBefore(local, manifest.name);
  const unchecked = uncheckedBy("install", origin);
  const resolved = await resolveImages(local, imagesOf(manifest), { ...installation, unchecked });
  const path = join(ADMINISTRATORS, `${manifest.name}.json`);
  await mkdir(ADMINISTRATORS, { recursive: true, mode: 0o755 });
  // Its stamp outlives the rename, so the pod can be prepared before anybody sees the definition.
  const fresh = draftPath(manifest.name);
  try {
    await writeFileDurably(fresh, text, { mode: 0o644 });
    const { stamp } = await readDefinition(fresh);
    const pod = await prepareBeside(local, { manifest, resolved, path, stamp }, before);
    await acceptImages(local.paths, manifest.name, unsignedOf(resolved.images));
    await rename(fresh, path);
    await syncDirectory(ADMINISTRATORS);
    return pod;
  } finally {
    await unlessMissing(unlink(fresh));
  }
}

/** See Installer.refresh. Part of the unit's own start, so the pod that was prepared before does not run. */
export async function refreshPod(local: Local, name: string): Promise<InstalledPod> {
  const next = await nextOf(local, name);
  if (next.current === undefined) return await replace(local, await decide(local, next), next.before);
  await requireTrust(local, next.current);
  const { uuid, unit } = next.current.record;
  return { uuid, unit, path: next.path, warnings: [] };
}

/**
 * Throws what the next start would: NotTrusted, and where the definition has changed BadManifest, NoSuchImage, or what keeps an
 * image from being fetched. That start then finds its images in the store.
 */
export async function requireInstalledStartable(local: Local, name: string): Promise<void> {
  const next = await nextOf(local, name);
  if (next.current === undefined) await decide(local, next);
  else await requireTrust(local, next.current);
}

/** The same for anybody but the unit's own start, during which the pod counts as running. Throws PodBusy. */
export async function refreshIdlePod(local: Local, name: string): Promise<InstalledPod> {
  await definitionPath(name);
  const before = await installedBefore(local, name);
  if (before !== undefined && (await isRunning(local, before.pod))) {
    throw new GantryError("PodBusy", `pod ${quoted(name)} is running`, {
      hint: `its next start refreshes it: systemctl restart gantry@${name}`,
    });
  }
  return await refreshPod(local, name);
}

/** What the next start of an installed pod is made of. */
type Next = Pick<Decided, "manifest" | "path" | "stamp"> & {
  readonly before: Before | undefined;
  /** The pod of before, where that is what the definition says. */
  readonly current: StoredPod | undefined;
};

async function nextOf(local: Local, name: string): Promise<Next> {
  const { path, stamp, text } = await readDefinition(await definitionPath(name));
  const manifest = parseDefinition(text, path, name);
  const before = await installedBefore(local, name);
  const current = before !== undefined && (await isCurrent(before, { path, stamp })) ? before.pod : undefined;
  return { manifest, path, stamp, before, current };
}

async function decide(local: Local, { manifest, path, stamp }: Next): Promise<Decided> {
  const accepted = await acceptedImages(local.paths, manifest.name);
  const known = { insecureOptions: [], accepted, unchecked: uncheckedBy("install", path) };
  const resolved = await resolveImages(local, imagesOf(manifest), known);
  return { manifest, resolved, path, stamp };
}

/** Whether the pod is what its definition says, so that only its images have to be judged anew. */
async function isCurrent(
  { pod, definition }: Before,
  now: Pick<Definition, "path" | "stamp">,
): Promise<boolean> {
  if (definition.path !== now.path || definition.stamp !== now.stamp) return false;
  return (await readTrustStamp(pod.entry.directory)) !== undefined;
}

/** See Installer.uninstall. */
export async function uninstallPod(local: Local, name: string): Promise<string> {
  const path = await definitionPath(name);
  if (!path.startsWith(`${ADMINISTRATORS}/`)) {
    throw new GantryError("AccessDenied", `${quoted(path)} belongs to the vendor`, {
      hint: `mask its unit: systemctl mask gantry@${name}`,
    });
  }
  const before = await installedBefore(local, name);
  await unlink(path);
  await syncDirectory(ADMINISTRATORS);
  await forgetAccepted(local.paths, name);
  if (before !== undefined && !(await isRunning(local, before.pod))) {
    await forgetUnits(await local.bus(), before.pod);
    await discardPod(local.paths, before.pod);
  }
  return path;
}

type Named = PodManifest & { readonly name: string };

function parseDefinition(text: string, origin: string, name: string): Named {
  const manifest = parseDocument(PodManifest, text, { name: quoted(origin), kind: "BadManifest" });
  const given = manifest.name ?? name;
  if (!isName(given)) {
    throw new GantryError("BadManifest", `${quoted(origin)}: ${quoted(given)} is no name for a pod`, {
      hint: `give it one of up to ${MAX_NAME} lower-case letters, digits and dashes: "name": "web"`,
    });
  }
  if (origin.startsWith(`${ADMINISTRATORS}/`) && given !== name) {
    throw new GantryError("BadManifest", `${quoted(origin)}: name: ${quoted(given)} is not the file's`);
  }
  refuseTerminal(manifest, origin);
  return { ...manifest, name: given };
}

/** Nobody sits at a service. */
function refuseTerminal(manifest: PodManifest, origin: string): void {
  const app = manifest.apps.find(({ terminal, stdin }) => terminal || stdin === "stream");
  if (app === undefined) return;
  throw new GantryError(
    "BadManifest",
    `${quoted(origin)}: app ${quoted(app.name)} wants a terminal or a stream as standard input`,
  );
}

type Before = { readonly pod: StoredPod; readonly definition: Definition };

/** The pod that was prepared for this name before. Throws PodExists when the name is that of a pod nobody installed. */
async function installedBefore(local: Local, name: string): Promise<Before | undefined> {
  const uuid = await podOfName(local.paths, name);
  const entry = (await podEntries(local.paths)).find((one) => one.uuid === uuid && one.phase === "prepared");
  const pod = entry === undefined ? undefined : await readPod(entry);
  if (entry === undefined || pod === undefined) return undefined;
  const definition = await readDocument(join(entry.directory, DEFINITION_STAMP), Definition);
  if (definition !== undefined) return { pod, definition };
  // It was there, and was replaced in this moment.
  if (pod.record.definition !== undefined) return undefined;
  throw new GantryError("PodExists", `a pod named ${quoted(name)} exists and is not installed: ${uuid}`, {
    hint: `remove it with gantry rm ${name}`,
  });
}

async function isRunning(local: Local, pod: StoredPod): Promise<boolean> {
  const [status] = await podStatuses([pod.entry], local.bus);
  return status !== undefined && isAlive(status.state);
}

function imagesOf(manifest: PodManifest): string[] {
  return manifest.apps.map((app) => app.image.id);
}

/** What the operator has just accepted: later starts accept these images for this pod, and no others. */
function unsignedOf(images: Images): string[] {
  const unsigned = [...images.values()].filter(({ verdict }) => verdict.kind === "insecure");
  return [...new Set(unsigned.map(({ id }) => id))];
}

type Decided = {
  readonly manifest: Named;
  readonly resolved: Resolved;
  readonly path: string;
  readonly stamp: string;
};

/** A pod that runs keeps its name and files; its next start finds another definition and prepares it anew. */
async function prepareBeside(
  local: Local,
  decided: Decided,
  before: Before | undefined,
): Promise<InstalledPod> {
  if (before === undefined || !(await isRunning(local, before.pod)))
    return await replace(local, decided, before);
  const { uuid, unit } = before.pod.record;
  return {
    uuid,
    unit,
    path: decided.path,
    warnings: ["the pod runs: what has changed takes effect with its next start"],
  };
}

async function replace(local: Local, decided: Decided, before: Before | undefined): Promise<InstalledPod> {
  const { manifest, resolved, path, stamp } = decided;
  await openStore(local.paths.data);
  const definition: Definition = { version: 1, path, stamp };
  const pod = await preparePod(local.paths, {
    manifest: reifyManifest(manifest, resolved.images),
    ...resolved,
    definition,
  });
  if (before !== undefined) await discardBefore(local, before.pod);
  return { uuid: pod.uuid, unit: pod.record.unit, path, warnings: pod.warnings };
}

/** Another installation of the same name may have done so. */
async function discardBefore({ paths, bus }: Local, pod: StoredPod): Promise<void> {
  try {
    await forgetApps(await bus(), pod);
    await discardPod(paths, pod);
  } catch (error) {
    if (!(error instanceof GantryError) || error.kind !== "NoSuchPod") throw error;
  }
}
