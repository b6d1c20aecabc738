/**
 * Prepares a pod: everything lies in `.preparing-<uuid>` until one rename makes it a pod. What a crash leaves is
 * told from a preparation in progress by the link `owner`, and removed by garbage collection.
 */
import { closeSync, fdatasync, openSync, writeFileSync } from "node:fs";
import { chmod, chown, mkdir, realpath, rename, stat, symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { errnoOf, GantryError } from "../base/errors.ts";
import { storeError, syncDirectory } from "../base/file.ts";
import { randomHex } from "../base/random.ts";
import { quoted } from "../base/text.ts";
import { type Paths, podDirectory, podsDirectory } from "../config/paths.ts";
import type { IdRange } from "../stage1/words.ts";
import type { Moment } from "../trust/moment.ts";
import { type Decision, decidePod } from "./decide.ts";
import { DEFINITION_STAMP, type Definition } from "./definition.ts";
import type { PodDraft } from "./draft.ts";
import { claimIds, releaseIds } from "./ids.ts";
import { ownerWord, preparingDirectory } from "./layout.ts";
import type { PodManifest } from "./manifest.ts";
import { claimName, releaseName, takeName } from "./names.ts";
import { hasFilter, launchPlan, layerName, sandboxPlan } from "./plan.ts";
import { providedFiles } from "./provided.ts";
import type { PodRecord } from "./record.ts";
import { podRecord } from "./record-of.ts";
import type { Images } from "./reify.ts";
import { makeTrustStamp, TRUST_STAMP, type TrustStamp } from "./trust-stamp.ts";
import { unitSet } from "./units.ts";
import type { PodVolumes } from "./volumes.ts";

export type PreparedPod = {
  readonly uuid: string;
  readonly directory: string;
  readonly record: PodRecord;
  readonly warnings: readonly string[];
};

export type Preparation = {
  readonly manifest: PodManifest;
  /** With the verdicts they may run by in this pod, judged at `moment`. */
  readonly images: Images;
  readonly moment: Moment;
  /** The definition of a pod to install, which then takes its name over from the one prepared before. */
  readonly definition?: Definition;
};

/** A file of the pod, by its path in the pod's directory. */
type PodFile = { readonly path: string; readonly content: string; readonly mode: number };

/**
 * Prepares a pod of a reified manifest. Throws PodExists, BadManifest, BadVolume, Unsupported, NoSuchImage, StoreFull;
 * nothing is left then.
 */
export async function preparePod(paths: Paths, preparation: Preparation): Promise<PreparedPod> {
  const uuid = randomHex(16);
  // Decided once before anything is written, so that a wrong manifest costs nothing.
  const given = { ...preparation, uuid, paths, installed: preparation.definition !== undefined };
  const { volumes } = decidePod({ ...given, userns: { mode: "host" } });
  await checkHostVolumes(volumes);
  const claims: Claims = { paths, uuid, name: preparation.manifest.name, userns: { mode: "host" } };
  try {
    await openPreparation(claims);
    claims.userns = await claimRange(paths, uuid, preparation.manifest);
    if (claims.name !== undefined && !given.installed) await claimName(paths, claims.name, uuid);
    const decision = decidePod({ ...given, userns: claims.userns });
    const record = podRecord(decision.draft, { created: Date.now() * 1000, ...definitionOf(preparation) });
    const trust = makeTrustStamp(preparation.images.values(), preparation.moment);
    await build(paths, decision, { record, trust, definition: preparation.definition });
    if (claims.name !== undefined && given.installed) await takeName(paths, claims.name, uuid);
    return { uuid, directory: podDirectory(paths, uuid), record, warnings: warningsOf(decision) };
  } catch (error) {
    await withdraw(claims);
    throw storeError(error, paths.data);
  }
}

type Claims = {
  readonly paths: Paths;
  readonly uuid: string;
  readonly name: string | undefined;
  userns: IdRange;
};

/** The directory comes before every claim: a claim whose pod has no directory is void. */
async function openPreparation({ paths, uuid }: Claims): Promise<void> {
  const directory = preparingDirectory(paths, uuid);
  await mkdir(directory, { mode: 0o700 });
  await symlink(await ownerWord(), join(directory, "owner"));
}

async function claimRange(paths: Paths, uuid: string, manifest: PodManifest): Promise<IdRange> {
  return manifest.userns === "host" ? { mode: "host" } : await claimIds(paths, uuid);
}

async function withdraw({ paths, uuid, name, userns }: Claims): Promise<void> {
  const { removeTree } = await import("../store/tree.ts");
  await removeTree(preparingDirectory(paths, uuid));
  if (name !== undefined) await releaseName(paths, name, uuid);
  await releaseIds(paths, uuid, userns);
}

/** A missing source is an error (appc section 7), and a link on the way could be moved between check and mount. */
async function checkHostVolumes(volumes: PodVolumes): Promise<void> {
  for (const { name, source } of volumes.host) {
    const real = await realpath(source).catch((error) => {
      throw badVolume(
        name,
        source,
        errnoOf(error) === "ENOENT" ? "does not exist" : `cannot be read: ${errnoOf(error)}`,
      );
    });
    if (real !== source.replace(/(?<=.)\/+$/, "")) {
      throw badVolume(name, source, `goes through a symbolic link; name ${quoted(real)} itself`);
    }
  }
}

function badVolume(name: string, source: string, what: string): GantryError {
  return new GantryError("BadVolume", `volume ${quoted(name)}: ${quoted(source)} ${what}`);
}

function definitionOf({ definition }: Preparation): { definition?: string } {
  return definition === undefined ? {} : { definition: definition.path };
}

type Written = {
  readonly record: PodRecord;
  readonly trust: TrustStamp;
  readonly definition: Definition | undefined;
};

async function build(paths: Paths, decision: Decision, written: Written): Promise<void> {
  const { draft } = decision;
  const directory = preparingDirectory(paths, draft.uuid);
  // The records name layers and signatures before anybody looks whether they are there: garbage collection sees it.
  await writeSynced(directory, recordsOf(written));
  await checkImages(paths, draft);
  await makeDirectories(directory, decision);
  await writeSynced(directory, [...filesOf(draft), ...stampOf(written.definition)]);
  if (draft.apps.some(hasFilter)) await checkOwnFilters(draft, directory);
  await unlink(join(directory, "owner"));
  await rename(directory, podDirectory(paths, draft.uuid));
  await syncDirectory(podsDirectory(paths));
}

/** Most pods bring no filter, and shall not wait until what starts a process is loaded. */
async function checkOwnFilters(draft: PodDraft, directory: string): Promise<void> {
  const { checkFilters } = await import("./filter.ts");
  await checkFilters(draft, directory);
}

/** Whoever removes an image looks for pods first, or renames it away before: one of the two sees the other. */
async function checkImages(paths: Paths, pod: PodDraft): Promise<void> {
  for (const { name, image } of pod.apps) {
    const layers = image.layers.map((layer) => join(pod.places.layers, layerName(layer.diffId)));
    for (const path of [join(paths.data, "images", `${image.id}.json`), ...layers]) {
      await stat(path).catch((cause) => {
        const text = `app ${quoted(name)}: ${quoted(path)} of image ${quoted(image.id)} is missing`;
        throw new GantryError("NoSuchImage", text, {
          cause,
          hint: "import the image again with gantry fetch",
        });
      });
    }
  }
}

/** `upper` belongs to the pod's root: on disk its files carry the pod's own ids (native-stage1 3.3). */
async function makeDirectories(directory: string, { draft, volumes }: Decision): Promise<void> {
  const owner = draft.userns.mode === "pod" ? draft.userns.base : 0;
  await mkdir(join(directory, "apps"), { mode: 0o700 });
  await mkdir(join(directory, "etc"), { mode: 0o755 });
  for (const app of draft.apps) {
    const own = join(directory, "apps", app.name);
    await mkdir(own, { mode: 0o700 });
    await mkdir(join(own, "status"), { mode: 0o700 });
    for (const name of ["upper", "work"]) {
      await mkdir(join(own, name), { mode: 0o755 });
      if (owner !== 0) await chown(join(own, name), owner, owner);
    }
  }
  await makeVolumes(directory, volumes);
}

/** Those that begin as what an image has there are made by stage1, in the app's own control group. */
async function makeVolumes(directory: string, { empty, implicit }: PodVolumes): Promise<void> {
  if (empty.length === 0 && implicit.length === 0) return;
  await mkdir(join(directory, "volumes"), { mode: 0o700 });
  for (const volume of empty) {
    const path = join(directory, volume.directory);
    await mkdir(path);
    await chown(path, volume.uid, volume.gid);
    // After chown, which clears set-id bits, and independent of the umask.
    await chmod(path, Number.parseInt(volume.mode, 8));
  }
}

function filesOf(pod: PodDraft): PodFile[] {
  const own = (path: string, content: string): PodFile => ({ path, content, mode: 0o600 });
  return [
    own("manifest.json", document(pod.manifest)),
    own("sandbox.json", document(sandboxPlan(pod))),
    own("units.json", document(unitSet(pod))),
    ...pod.apps.map((app) => own(join("apps", app.name, "plan.json"), document(launchPlan(pod, app)))),
    ...providedFiles(pod).map(({ name, content }) => ({ path: join("etc", name), content, mode: 0o644 })),
  ];
}

function recordsOf({ record, trust }: Written): PodFile[] {
  const own = (path: string, content: object): PodFile => ({ path, content: document(content), mode: 0o600 });
  return [own("pod.json", record), own(TRUST_STAMP, trust)];
}

function stampOf(definition: Definition | undefined): PodFile[] {
  if (definition === undefined) return [];
  return [{ path: DEFINITION_STAMP, content: document(definition), mode: 0o600 }];
}

function document(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Flushed all at once: the file system then commits them together instead of one after the other. */
async function writeSynced(directory: string, files: readonly PodFile[]): Promise<void> {
  const descriptors: number[] = [];
  try {
    for (const file of files) descriptors.push(createFile(join(directory, file.path), file));
    await Promise.all(descriptors.map((descriptor) => flush(descriptor)));
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

const flush = promisify(fdatasync);

/** Synchronously: it takes microseconds, and a way through the thread pool a multiple of that. */
function createFile(path: string, { content, mode }: PodFile): number {
  const descriptor = openSync(path, "wx", mode);
  writeFileSync(descriptor, content);
  return descriptor;
}

function warningsOf({ draft, volumes }: Decision): string[] {
  const ignored = podRecord(draft, { created: 0 }).isolators.filter(
    (report) => report.verdict !== "enforced",
  );
  return [
    ...volumes.implicit.map(
      ({ app, path, copied }) =>
        `app ${quoted(app)}: no volume for mount point ${quoted(path)}, ${copied ? "one with the image's content" : "an empty one"} is made`,
    ),
    ...ignored.map(({ name, verdict, reason }) => `isolator ${quoted(name)} is ${verdict}: ${reason ?? ""}`),
  ];
}
