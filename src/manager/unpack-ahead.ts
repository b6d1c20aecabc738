/** The unpacker of the first layer that is fetched, started while a server is still asked what the image is. */
import { join } from "node:path";
import { type Repository, repositoryText } from "../image/repository.ts";
import type { SourceLayer } from "../image/source.ts";
import { isNameTaken } from "../store/images.ts";
import type { LayerStream } from "../store/import.ts";
import type { Operation } from "../store/operation.ts";
import { startUnpacker, type WaitingUnpacker } from "../store/waiting-unpacker.ts";
import type { Fetcher } from "../transport/fetcher.ts";
import type { ImageManager } from "./images.ts";
import type { Workers } from "./workers.ts";

export type Layers = AsyncDisposable & {
  /** Has a layer fetched. */
  stream(layer: SourceLayer): Promise<LayerStream>;
};

export type AheadOptions = {
  readonly manager: ImageManager;
  readonly repository: Repository;
  readonly workers: Workers;
  readonly operation: Operation;
  readonly fetcher: Fetcher;
};

/** Layers through `fetcher`. Throws StoreFull. */
export async function openLayers(options: AheadOptions): Promise<Layers> {
  const { fetcher } = options;
  const waiting = (await wantsLayers(options)) ? await start(options) : undefined;
  let first = waiting;
  return {
    stream: async (layer) => {
      const { digest = "", size, urls } = layer;
      const reader = first;
      // An archive without a byte would wake nobody.
      if (reader === undefined || size === 0) return await fetcher.stream({ digest, size, urls });
      first = undefined;
      await reader.describe({ ...layer, archive: { pipe: fetcher.first, size } });
      return { ...(await fetcher.streamFirst({ digest, size, urls })), reader };
    },
    [Symbol.asyncDispose]: async () => await waiting?.[Symbol.asyncDispose](),
  };
}

/** What has the name already has seldom changed since: most often no layer is wanted then. */
async function wantsLayers({ manager, repository, operation }: AheadOptions): Promise<boolean> {
  return manager.unpacker === undefined && !(await isNameTaken(operation.store, repositoryText(repository)));
}

async function start({ manager, workers, operation, fetcher }: AheadOptions): Promise<WaitingUnpacker> {
  const part = "ahead";
  return startUnpacker({
    ...{ systemd: await workers.systemd(), program: join(manager.paths.libexec, "gantry-unpack") },
    ...{ operation: operation.id, part, into: await operation.makeDirectory(part), pipe: fetcher.first },
  });
}
