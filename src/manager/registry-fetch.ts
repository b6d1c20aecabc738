/** An image from a registry: the fetcher is started first, and the rest is loaded while it starts. */
import { join } from "node:path";
import type { ImageRecord } from "../image/record.ts";
import type { Repository } from "../image/repository.ts";
import { beginOperation } from "../store/operation.ts";
import { openStore } from "../store/store.ts";
import { openFetcher } from "../transport/fetcher.ts";
import type { FetchRequest, ImageManager } from "./images.ts";
import { openWorkers } from "./workers.ts";

/**
 * Fetches what `repository` means to its registry now. Of an image that is here already only the documents are
 * transferred. Throws as importFetched().
 */
export async function fetchFromRegistry(
  manager: ImageManager,
  request: FetchRequest,
  repository: Repository,
): Promise<ImageRecord> {
  await using workers = openWorkers(manager);
  // The connection is made while the disk is asked; who needs it sees how that ended.
  workers.systemd().catch(() => {});
  const store = await openStore(manager.paths.data);
  await using operation = await beginOperation(store);
  const { signal, progress } = request;
  await using fetcher = await openFetcher({
    ...{ systemd: await workers.systemd(), program: join(manager.paths.libexec, "gantry-fetcher") },
    ...{ operation, signal, progress },
  });
  await fetcher.begun;
  const { importFetched } = await import("./registry-import.ts");
  return await importFetched({ manager, request, repository, workers, operation, fetcher });
}
