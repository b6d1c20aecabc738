/** Preparing a pod: the one errand every `run` waits for, so nothing is loaded here that it does not need. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { isDiscoverable } from "../image/app-name.ts";
import type { ImageRecord } from "../image/record.ts";
import { parseImageReference } from "../image/reference.ts";
import { checkValue, parseDocument } from "../pod/check.ts";
import type { PodManifest } from "../pod/manifest.ts";
import { preparePod } from "../pod/prepare.ts";
import type { PodRecord } from "../pod/record.ts";
import { type Images, manifestOfRequest, reifyManifest } from "../pod/reify.ts";
import { PodRequest } from "../pod/request.ts";
import { lookUpRecord, noSuchRecord, noteUse } from "../store/images.ts";
import { openStore } from "../store/store.ts";
import { type Moment, presentMoment } from "../trust/moment.ts";
import { INSECURE_OPTIONS, type InsecureOption } from "../trust/verdict.ts";
import type { Local } from "./local.ts";
import type { LaunchablePod, PrepareOptions } from "./manager.ts";
import type { PullPolicy } from "./pull-policy.ts";
import { justJudged, type Wish, withStanding } from "./standing.ts";

/** See PodManager.preparePod. */
export async function prepareRequest(
  local: Local,
  given: unknown,
  options: PrepareOptions,
): Promise<LaunchablePod> {
  const request = checkValue(PodRequest, given, { name: "the pod", kind: "Usage" });
  const names = request.apps.map((app) => app.image);
  const resolved = await resolveImages(local, names, options);
  return await prepare(local, manifestOfRequest(request, resolved.images), resolved);
}

export type Written = { readonly text: string; readonly origin: string };

/** See PodManager.prepareManifest. */
export async function prepareManifest(
  local: Local,
  { text, origin }: Written,
  options: PrepareOptions,
): Promise<LaunchablePod> {
  const { PodManifest } = await import("../pod/manifest.ts");
  const manifest = parseDocument(PodManifest, text, { name: quoted(origin), kind: "BadManifest" });
  const names = manifest.apps.map((app) => app.image.id);
  const resolved = await resolveImages(local, names, options);
  return await prepare(local, reifyManifest(manifest, resolved.images), resolved);
}

/** Images by the names they were asked for and by their ids, and the state of trust they were judged in. */
export type Resolved = { readonly images: Images; readonly moment: Moment };

export async function resolveImages(
  local: Local,
  names: readonly string[],
  options: PrepareOptions & Partial<Pick<Wish, "accepted" | "unchecked">>,
): Promise<Resolved> {
  const moment = presentMoment();
  const images = new Map<string, ImageRecord>();
  for (const source of new Set(names)) {
    const request = {
      source,
      insecureOptions: checkInsecure(options.insecureOptions),
      uid: options.uid ?? local.uid,
      ...{ accepted: options.accepted ?? [], unchecked: options.unchecked },
      ...{ pullPolicy: options.pullPolicy ?? "new", watchFetch: options.watchFetch, moment },
      credentials: options.credentials,
    };
    const [record, ...parts] = await imageOf(local, request);
    images.set(source, record).set(record.id, record);
    for (const part of parts) images.set(part.id, part);
  }
  return { images, moment };
}

/** An image and those it contains. Only one that has to be imported or fetched needs the code for it. */
async function imageOf(local: Local, request: Ask): Promise<[ImageRecord, ...ImageRecord[]]> {
  const stored = await storedImage(local, request);
  const record = stored ?? (await obtainImage(local, request));
  if (stored === undefined) await justJudged(local, record, request.moment);
  await noteUse({ directory: local.paths.data }, record.id);
  return await withStanding(local, record, request);
}

/** What the store has, where the pull policy is content with that. Throws NoSuchImage for what can't be obtained. */
async function storedImage(local: Local, request: Ask): Promise<ImageRecord | undefined> {
  const { source, pullPolicy } = request;
  const reference = parseImageReference(source);
  if (reference.kind !== "id" && reference.kind !== "name" && reference.kind !== "registry") return undefined;
  const fetched =
    reference.kind === "registry" ||
    (reference.kind === "name" && (reference.app === undefined || isDiscoverable(reference.app)));
  if (fetched && pullPolicy === "update") return undefined;
  const record = await lookUpRecord({ directory: local.paths.data }, reference, source);
  if (record === undefined && (!fetched || pullPolicy === "never")) throw noSuchRecord(source);
  return record;
}

async function obtainImage(local: Local, { watchFetch, ...request }: Ask): Promise<ImageRecord> {
  const { fetchImage } = await import("./images.ts");
  using watch = watchFetch?.(request.source);
  const watching = watch === undefined ? {} : { signal: watch.signal, progress: watch.progress };
  return await fetchImage(local, { ...request, ...watching });
}

type Ask = Wish & {
  readonly pullPolicy: PullPolicy;
  readonly watchFetch: PrepareOptions["watchFetch"];
  readonly credentials: PrepareOptions["credentials"];
};

function checkInsecure(words: readonly string[]): InsecureOption[] {
  return words.map((word) => {
    const option = INSECURE_OPTIONS.find((known) => known === word);
    if (option !== undefined) return option;
    throw new GantryError(
      "Usage",
      `${quoted(word)} is no insecure option; there is: ${INSECURE_OPTIONS.join(", ")}`,
    );
  });
}

async function prepare(local: Local, manifest: PodManifest, resolved: Resolved): Promise<LaunchablePod> {
  await openStore(local.paths.data);
  const pod = await preparePod(local.paths, { manifest, ...resolved });
  return launchable(pod, pod.warnings);
}

type Launched = { readonly uuid: string; readonly directory: string; readonly record: PodRecord };

/** What the launcher has to know of a prepared pod. */
export function launchable(
  { uuid, directory, record }: Launched,
  warnings: readonly string[],
): LaunchablePod {
  const { terminal, stdin, definition, unit } = record;
  const service = definition === undefined ? {} : { service: unit };
  return {
    uuid,
    name: record.name ?? "",
    directory,
    terminal,
    stdin: stdin || terminal,
    ...service,
    warnings,
  };
}
