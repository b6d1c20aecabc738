/**
 * Repair of an appc image. Each damaged layer is made anew by the image it is of, the image itself or one it depends on, from
 * where that came from; a part of a layer is packed out of the whole one once more. No pod may use a layer meanwhile.
 */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { parseImageManifest } from "../image/aci.ts";
import { isDiscoverable } from "../image/app-name.ts";
import { hostPlatform } from "../image/platform.ts";
import type { ImageLayer, ImageRecord } from "../image/record.ts";
import { type ImageReference, parseImageReference } from "../image/reference.ts";
import type { Whitelist } from "../image/whitelist.ts";
import { type AciArchive, unpackAci } from "../store/aci.ts";
import { readStoredBlob, replaceBlobs } from "../store/blobs.ts";
import { readRecord } from "../store/images.ts";
import { publishLayer } from "../store/layers.ts";
import { beginOperation, type Operation } from "../store/operation.ts";
import { namePart, partOfLayer } from "../store/part.ts";
import { changed, replaceLayer, requireUnused } from "../store/repair.ts";
import { findSource } from "../store/source.ts";
import { verifyLayer } from "../store/verify.ts";
import { hostLabels } from "./aci.ts";
import { fetcherTransfer } from "./aci-transfer.ts";
import type { ImageManager } from "./images.ts";
import type { Place } from "./transfer.ts";
import type { Workers } from "./workers.ts";

export type AppcRepair = {
  readonly manager: ImageManager;
  readonly operation: Operation;
  readonly workers: Workers;
  readonly uid: number;
  readonly signal?: AbortSignal | undefined;
};

export type AppcDamage = {
  readonly record: ImageRecord;
  /** Diff ids. */
  readonly layers: readonly string[];
  /** Whether its manifest is damaged. */
  readonly documents: boolean;
};

/**
 * Throws ImageBusy, NoSuchImage for a dependency or a source that is gone, DigestMismatch for a source that has something else
 * by now, and what transferring and unpacking an ACI throws, with the name of the dependency it happened to.
 */
export async function repairAppc(
  repair: AppcRepair,
  { record, layers, documents }: AppcDamage,
): Promise<void> {
  await requireUnused(repair.operation, layers);
  await repair.operation.relyOn([record.id, ...(record.dependencies ?? [])]);
  // The manifest tells what is kept of layers.
  if (documents) await restore(repair, record, { layer: layers.includes(record.digest) });
  for (const layer of record.layers) {
    if (layers.includes(layer.diffId)) await makeSound(repair, record, layer);
  }
}

/** Makes a layer of an image what it was, unless it is. */
async function makeSound(repair: AppcRepair, record: ImageRecord, layer: ImageLayer): Promise<void> {
  const { operation, workers, signal } = repair;
  const { differences } = await verifyLayer(operation, layer.diffId, { tools: workers.tools, signal });
  if (differences === 0) return;
  await requireUnused(operation, [layer.diffId]);
  if (layer.diffId === record.digest) return await restore(repair, record, { layer: true });
  const dependencies = await dependenciesOf(repair, record);
  const holder = dependencies.find(({ layers }) => layers.some(({ diffId }) => diffId === layer.diffId));
  if (holder === undefined) return await remake(repair, { record, part: layer, dependencies });
  await makeSound(repair, holder, layer).catch((error) => {
    throw ofDependency(error, record, holder);
  });
}

/** Those that need the least come first: a layer is made by the first of them that has it. */
async function dependenciesOf({ operation }: AppcRepair, record: ImageRecord): Promise<ImageRecord[]> {
  const found: ImageRecord[] = [];
  for (const id of record.dependencies ?? []) {
    const dependency = await readRecord(operation.store, id);
    if (dependency !== undefined) found.push(dependency);
    else
      throw new GantryError(
        "NoSuchImage",
        `image ${id}, which ${quoted(nameOf(record))} depends on, is not in the store`,
      );
  }
  return found.sort((a, b) => (a.dependencies?.length ?? 0) - (b.dependencies?.length ?? 0));
}

function ofDependency(error: unknown, record: ImageRecord, dependency: ImageRecord): unknown {
  if (!(error instanceof GantryError)) return error;
  const text = `${quoted(nameOf(dependency))}, which ${quoted(nameOf(record))} depends on: ${error.message}`;
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new GantryError(error.kind, text, { cause: error, ...hint });
}

function nameOf({ names, id }: ImageRecord): string {
  return names[0] ?? id;
}

type Remaking = {
  readonly record: ImageRecord;
  readonly part: ImageLayer;
  readonly dependencies: readonly ImageRecord[];
};

/** A part that the image's own whitelist leaves: of its own layer, or of one that a dependency has. */
async function remake(repair: AppcRepair, { record, part, dependencies }: Remaking): Promise<void> {
  const { operation, workers, signal } = repair;
  const own = part.of === record.digest;
  const text = (await readStoredBlob(operation.store, record.configDigest)).toString();
  const { pathWhitelist } = parseImageManifest(text, quoted(nameOf(record)));
  const whitelist = { paths: pathWhitelist ?? [], own };
  const { of: whole = "", ...rest } = part;
  const candidates = own
    ? [{ ...rest, diffId: whole }]
    : dependencies.flatMap(({ layers }) => layers).filter(({ of, diffId }) => (of ?? diffId) === whole);
  for (const layer of candidates) {
    await makeSound(repair, record, layer);
    if (!(await isPart(operation, { layer, whitelist, part }))) continue;
    const options = { unpacker: workers.unpacker, tools: workers.tools, signal };
    return await replaceLayer(operation, part.diffId, () =>
      partOfLayer(operation, { layer, whitelist }, options),
    );
  }
  const message = `layer ${part.diffId} of ${quoted(nameOf(record))} is of none of the images it depends on`;
  throw new GantryError("StoreCorrupt", message, { hint: "gantry image rm it, and fetch it again" });
}

type Leaving = { readonly layer: ImageLayer; readonly whitelist: Whitelist; readonly part: ImageLayer };

async function isPart({ store }: Operation, { layer, whitelist, part }: Leaving): Promise<boolean> {
  return (await namePart(store, { layer, whitelist }))?.diffId === part.diffId;
}

/** Takes an image's own layer and manifest from where it came from. */
async function restore(
  repair: AppcRepair,
  record: ImageRecord,
  { layer }: { readonly layer: boolean },
): Promise<void> {
  const { operation, workers, signal } = repair;
  // Of its own: a fetcher may write into it.
  await using place = await beginOperation(operation.store);
  const archive = await archiveOf({ ...repair, operation: place }, record);
  const options = { unpacker: workers.unpacker, what: quoted(record.source), part: "repair", signal };
  const aci = await unpackAci(place, archive, options);
  const { directory } = aci;
  if (aci.digest !== record.digest || directory === undefined) throw changed(record);
  await replaceBlobs(operation, new Map([[record.configDigest, Buffer.from(aci.text)]]));
  if (!layer) return;
  await replaceLayer(operation, record.digest, () => publishLayer(operation.store, record.digest, directory));
}

async function archiveOf(repair: AppcRepair, record: ImageRecord): Promise<AciArchive> {
  const { operation, workers, manager, uid, signal } = repair;
  const reference = parseImageReference(record.source);
  if ("path" in reference) {
    const options = { unpacker: workers.unpacker, host: hostPlatform(), signal };
    const found = await findSource(operation, reference, options);
    if (found.kind === "image") throw changed(record);
    return found;
  }
  const request = { source: record.source, insecureOptions: [], uid };
  const transfer = manager.transfer ?? fetcherTransfer(manager, request, workers);
  // What it has to be is known by its digest: no signature says more.
  const answer = await transfer(operation, {
    place: placeOf(record, reference),
    known: [],
    signature: false,
    signal,
  });
  if (answer.kind === "unchanged") throw changed(record);
  return answer;
}

/** Where it was downloaded from, rather than what its name leads to by now. */
function placeOf({ remote, source }: ImageRecord, reference: ImageReference): Place {
  if (remote !== undefined) return { kind: "url", url: remote.url };
  const app = reference.kind === "name" ? reference.app : undefined;
  if (app !== undefined && isDiscoverable(app))
    return {
      kind: "name",
      app: { name: app.name, labels: { ...hostLabels(hostPlatform()), ...app.labels } },
    };
  throw new GantryError("NoSuchImage", `${quoted(source)} leads to no server`, {
    hint: "gantry image rm it, and fetch it again",
  });
}
