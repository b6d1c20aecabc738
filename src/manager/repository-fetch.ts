/**
 * Images of registries, from the store or a server. What this file loads at once is little: the fetcher's start is waited
 * for, and the rest is loaded meanwhile.
 */
import type { ImageRecord } from "../image/record.ts";
import type { Repository } from "../image/repository.ts";
import { logEvent } from "../journal/journal.ts";
import { requireVerdict } from "../trust/verdict.ts";
import type { FetchRequest, ImageManager } from "./images.ts";

/** Fetches an image of a registry. Throws NoSuchImage where the policy wants the store's image and there is none. */
export async function fetchRepository(
  manager: ImageManager,
  request: FetchRequest,
  repository: Repository,
): Promise<ImageRecord> {
  const { source, pullPolicy = "update", insecureOptions } = request;
  if (pullPolicy !== "update") {
    const { lookUpRecord, noSuchRecord } = await import("../store/images.ts");
    const store = { directory: manager.paths.data };
    const stored = await lookUpRecord(store, { kind: "registry", repository }, source);
    if (stored !== undefined) {
      requireVerdict(stored.verdict, { source, origin: stored.source, insecureOptions });
      return stored;
    }
    if (pullPolicy === "never") throw noSuchRecord(source);
  }
  const { fetchFromRegistry } = await import("./registry-fetch.ts");
  const record = await fetchFromRegistry(manager, request, repository);
  await logImport(record);
  return record;
}

/** Tells the journal of it. */
export async function logImport(record: ImageRecord): Promise<void> {
  const name = record.names[0] ?? record.id;
  const fields = {
    ...imageFields(record),
    GANTRY_SOURCE: record.source,
    GANTRY_UID: String(record.verdict.uid),
  };
  await logEvent("image-imported", `Imported image ${name} from ${record.source}`, fields);
  if (record.verdict.kind !== "insecure") return;
  await logEvent("image-insecure", `Accepted image ${name} without a signature`, fields);
}

export function imageFields({ id, names }: Pick<ImageRecord, "id" | "names">) {
  return { GANTRY_IMAGE: names[0] ?? id, GANTRY_IMAGE_DIGEST: id.replace("-", ":") };
}
