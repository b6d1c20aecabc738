/** Images in the store against what they were when they were imported, and their repair. */

import { GantryError } from "../base/errors.ts";
import { exists } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import type { FindCredentials } from "../config/given-credentials.ts";
import { hostPlatform } from "../image/platform.ts";
import type { ImageRecord } from "../image/record.ts";
import { parseImageReference, repositoryOf } from "../image/reference.ts";
import { logEvent } from "../journal/journal.ts";
import { unlinkNames } from "../store/images.ts";
import { beginOperation, type Operation } from "../store/operation.ts";
import { writeRecord } from "../store/recording.ts";
import {
  damagedLayers,
  removeAside,
  repairFromFile,
  repairSizes,
  requireUnused,
  setAsideLayer,
} from "../store/repair.ts";
import { layerPath, openStore } from "../store/store.ts";
import { type ImageCheck, type LayerCheck, verifyImage as verifyRecord } from "../store/verify.ts";
import { fetchImage, findImage, type ImageManager } from "./images.ts";
import { openWorkers, type Workers } from "./workers.ts";

export { findingText, type ImageCheck, type LayerCheck } from "../store/verify.ts";

export type Verification = {
  readonly image: string;
  /** Repair what differs. */
  readonly repair: boolean;
  readonly uid: number;
  /** For the registry that a repair takes layers from, handed over by who asks. */
  readonly credentials?: FindCredentials | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Checks of layers that were made already. */
  readonly known?: Map<string, LayerCheck>;
};

/** What was found, and, if something was to be repaired, what is left after it. */
export type VerifiedImage = ImageCheck & { readonly repaired?: ImageCheck };

/**
 * Checks an image; what differs is told, not thrown. Throws as findImage(), Cancelled, StoreFull, SystemdFailed; with
 * `repair` also ImageBusy, and what fetching throws.
 */
export async function verifyImage(manager: ImageManager, verification: Verification): Promise<VerifiedImage> {
  const { id } = await findImage(manager, verification.image);
  const record = await findImage(manager, id);
  const store = await openStore(manager.paths.data);
  await using workers = openWorkers(manager);
  await using operation = await beginOperation(store);
  const { signal, known } = verification;
  const options = { tools: workers.tools, signal };
  const check = await verifyRecord(operation, record, known === undefined ? options : { ...options, known });
  if (check.ok || !verification.repair) return check;
  await repair({ manager, operation, workers }, { record, check }, verification);
  for (const layer of damagedLayers(check)) known?.delete(layer);
  const repaired = await verifyRecord(operation, await findImage(manager, record.id), options);
  await logEvent("image-repaired", `Repaired image ${record.names[0] ?? record.id}`, {
    GANTRY_IMAGE: record.names[0] ?? record.id,
    GANTRY_IMAGE_DIGEST: record.digest,
    GANTRY_UID: String(verification.uid),
  });
  return { ...check, repaired };
}

type Place = { readonly manager: ImageManager; readonly operation: Operation; readonly workers: Workers };
type Damage = { readonly record: ImageRecord; readonly check: ImageCheck };

async function repair(place: Place, damage: Damage, verification: Verification): Promise<void> {
  const { record, check } = damage;
  const reference = parseImageReference(record.source);
  const documents = check.faults.some((fault) => fault.startsWith("blob"));
  const damaged = damagedLayers(check).length > 0 || documents;
  if (damaged && record.kind === "appc") {
    const { repairAppc } = await import("./repair-appc.ts");
    await repairAppc({ ...place, ...verification }, { record, layers: damagedLayers(check), documents });
  } else if (damaged && "path" in reference) {
    const { unpacker } = place.workers;
    const options = { unpacker, host: hostPlatform(), signal: verification.signal };
    await repairFromFile(place.operation, { record, check, reference }, options);
  } else if (damaged) {
    await repairFromAfar(place, damage, verification);
  }
  if (check.faults.some((fault) => fault.startsWith("layer"))) {
    await repairSizes(place.operation, record, check.layers);
  }
}

/** The image is fetched once more, by its digest where its source is a registry; what was set aside comes back if that fails. */
async function repairFromAfar(
  { manager, operation }: Place,
  { record, check }: Damage,
  { uid, credentials, signal }: Verification,
): Promise<void> {
  const damaged = damagedLayers(check);
  await requireUnused(operation, damaged);
  const restores: (() => Promise<void>)[] = [];
  for (const layer of damaged) restores.push(await setAsideLayer(operation, layer));
  try {
    const isUnchecked = [record, ...record.verdicts].some(({ verdict }) => verdict.kind === "insecure");
    const insecureOptions = isUnchecked ? (["image"] as const) : [];
    const source = pinned(record);
    const request = {
      source,
      insecureOptions,
      uid,
      credentials,
      ...(signal === undefined ? {} : { signal }),
    };
    const fetched = await fetchImage(manager, request);
    if (fetched.id !== record.id) throw otherImage(record, fetched);
    // It was fetched by its digest, which nobody calls it by.
    const names = fetched.names.filter((name) => !record.names.includes(name));
    await unlinkNames(operation.store, record.id, names);
  } finally {
    for (const [at, layer] of damaged.entries()) {
      if (!(await exists(layerPath(operation.store, layer)))) await restores[at]?.();
      await removeAside(operation, layer);
    }
  }
  // Its names, its verdict and the time of its import are what they were.
  await writeRecord(operation, record);
}

function otherImage(record: ImageRecord, { id }: ImageRecord): GantryError {
  const message = `${quoted(record.source)} is image ${id} by now, not ${record.id}`;
  return new GantryError("DigestMismatch", message, { hint: "gantry image rm it, and fetch it again" });
}

function pinned(record: ImageRecord): string {
  const repository = repositoryOf(parseImageReference(record.source));
  if (repository === undefined) return record.source;
  return `docker://${repository.registry}/${repository.repository}@${record.digest}`;
}
