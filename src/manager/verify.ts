/** Images in the store against what they were when they were imported, and their repair. */

import { exists } from "../base/file.ts";
import type { FindCredentials } from "../config/given-credentials.ts";
import { hostPlatform } from "../image/platform.ts";
import type { ImageRecord } from "../image/record.ts";
import { parseImageReference, repositoryOf } from "../image/reference.ts";
import type { Repository } from "../image/repository.ts";
import { logEvent } from "../journal/journal.ts";
import { beginOperation, type Operation } from "../store/operation.ts";
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
import { findImage, type ImageManager } from "./images.ts";
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
  const repository = repositoryOf(reference);
  const documents = check.faults.some((fault) => fault.startsWith("blob"));
  const damaged = damagedLayers(check).length > 0 || documents;
  if (damaged && record.kind === "appc") {
    const { repairAppc } = await import("./repair-appc.ts");
    await repairAppc({ ...place, ...verification }, { record, layers: damagedLayers(check), documents });
  } else if (damaged && "path" in reference) {
    const { unpacker } = place.workers;
    const options = { unpacker, host: hostPlatform(), signal: verification.signal };
    await repairFromFile(place.operation, { record, check, reference }, options);
  } else if (damaged && repository !== undefined) {
    await repairFromAfar(place, { ...damage, repository }, verification);
  }
  if (check.faults.some((fault) => fault.startsWith("layer"))) {
    await repairSizes(place.operation, record.id, check.layers);
  }
}

/** The image is fetched once more, by its digest; what was set aside comes back if that fails. */
async function repairFromAfar(
  { manager, operation }: Place,
  { record, check, repository: { registry, repository } }: Damage & { readonly repository: Repository },
  { uid, credentials, signal }: Verification,
): Promise<void> {
  const damaged = damagedLayers(check);
  await requireUnused(operation, damaged);
  const restores: (() => Promise<void>)[] = [];
  for (const layer of damaged) restores.push(await setAsideLayer(operation, layer));
  try {
    const isUnchecked = [record, ...record.verdicts].some(({ verdict }) => verdict.kind === "insecure");
    const request = {
      ...{ source: record.source, repairs: record, uid, credentials },
      insecureOptions: isUnchecked ? (["image"] as const) : [],
      ...(signal === undefined ? {} : { signal }),
    };
    const { fetchFromRegistry } = await import("./registry-fetch.ts");
    await fetchFromRegistry(manager, request, { registry, repository, digest: record.digest });
  } finally {
    for (const [at, layer] of damaged.entries()) {
      if (!(await exists(layerPath(operation.store, layer)))) await restores[at]?.();
      await removeAside(operation, layer);
    }
  }
}
