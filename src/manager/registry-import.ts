/** What comes of a fetcher at work: its image resolved, judged, and only then its layers unpacked while they come. */
import { GantryError } from "../base/errors.ts";
import { type ImageFiles, readExtent } from "../image/archive.ts";
import { verifyChain, verifyChoice } from "../image/chain.ts";
import { parseDigest } from "../image/digest.ts";
import { openContestedDirectory } from "../image/layout.ts";
import { hostPlatform } from "../image/platform.ts";
import type { ImageRecord } from "../image/record.ts";
import { type Repository, repositoryText } from "../image/repository.ts";
import { readLayout, type SourceImage } from "../image/source.ts";
import type { Resolved } from "../inbox/protocol.ts";
import { importImage } from "../store/import.ts";
import type { Operation } from "../store/operation.ts";
import type { Fetcher } from "../transport/fetcher.ts";
import type { Judge, Judged } from "../trust/subject.ts";
import type { FetchRequest, ImageManager } from "./images.ts";
import { hostJudge } from "./judge.ts";
import { registryErrand } from "./registry-errand.ts";
import { openLayers } from "./unpack-ahead.ts";
import type { Workers } from "./workers.ts";

export type Asked = {
  readonly manager: ImageManager;
  readonly request: FetchRequest;
  readonly repository: Repository;
  readonly workers: Workers;
  readonly operation: Operation;
  readonly fetcher: Fetcher;
};

/** Throws NotTrusted, FetchFailed, and what reading and importing an image throw. */
export async function importFetched(asked: Asked): Promise<ImageRecord> {
  const { manager, request, repository, workers, operation, fetcher } = asked;
  const { progress } = request;
  const ask = manager.judge ?? hostJudge({ paths: manager.paths, systemd: workers.systemd });
  const transfer: Transfer = { manager, judge: ask, request, repository, fetcher };
  try {
    const answer = fetcher.resolve(await errandOf(transfer));
    // Who waits for it hears of a failure.
    answer.catch(() => {});
    // Not before: it would take the processor from the fetcher, whose start is the longer.
    await using layers = await openLayers(asked);
    const found = await verify(transfer, await answer);
    const judged = await judge(transfer, found);
    progress?.({ event: "phase", phase: "importing" });
    const record = await importImage(operation, found.image, {
      ...{ unpacker: workers.unpacker, source: sourceText(repository), progress },
      repairs: request.repairs,
      ...judged,
      signal: fetcher.failed,
      // It ends while the record is written.
      layersDone: () => fetcher.end(),
      fetchLayer: (layer) => layers.stream(layer),
    });
    await fetcher.finish();
    return record;
  } catch (error) {
    throw reasonOf(fetcher, error);
  }
}

type Transfer = {
  readonly manager: ImageManager;
  readonly judge: Judge;
  readonly request: FetchRequest;
  readonly repository: Repository;
  readonly fetcher: Fetcher;
};

type Found = { readonly files: ImageFiles; readonly image: SourceImage; readonly resolved: Resolved };

async function errandOf({ manager, request, repository }: Transfer) {
  request.progress?.({ event: "phase", phase: "resolving" });
  const { insecureOptions, credentials } = request;
  const { environment } = manager;
  return await registryErrand(repository, {
    insecureOptions,
    host: hostPlatform(),
    environment,
    credentials,
  });
}

async function verify({ repository, fetcher }: Transfer, resolved: Resolved): Promise<Found> {
  const host = hostPlatform();
  const reference = repositoryText(repository);
  const files = openContestedDirectory(fetcher.directory, reference);
  await verifyChain(files, resolved, repository.digest);
  await verifyChoice(files, resolved, host);
  const indexes = resolved.indexes.map(({ digest }) => digest);
  const ref = `@${resolved.manifest.digest}`;
  const image = await readLayout(files, { ref, host, layers: "elsewhere" });
  return { files, image: { ...image, indexes, names: [reference], host: resolved.host }, resolved };
}

async function judge(
  { judge: ask, request, repository }: Transfer,
  { files, image, resolved }: Found,
): Promise<Judged> {
  request.progress?.({ event: "phase", phase: "verifying" });
  const manifest = image.documents.get(image.digest);
  return await ask({
    subject: {
      transport: "registry",
      name: `${repository.registry}/${repository.repository}`,
      reference: repositoryText(repository),
      digest: image.digest,
      indexes: image.indexes ?? [],
      ...(manifest === undefined ? {} : { manifest }),
    },
    signatures: resolved.signatures,
    blob: (digest, limit) => readDocument(files, digest, limit),
    ...{ source: sourceText(repository), insecureOptions: request.insecureOptions, uid: request.uid },
    signal: request.signal,
  });
}

async function readDocument(files: ImageFiles, digest: string, limit: number): Promise<Buffer> {
  const { algorithm, hex } = parseDigest(digest);
  const extent = await files.extent(`blobs/${algorithm}/${hex}`);
  if (extent === undefined) throw new GantryError("BadImage", `the fetcher has not written blob ${digest}`);
  return await readExtent(extent, limit, `blob ${digest}`);
}

function sourceText(repository: Repository): string {
  return `docker://${repositoryText(repository)}`;
}

/** An unpacker that was stopped for the fetcher's failure does not know it; one that failed by itself may bring the fetcher down, too. */
function reasonOf({ failed }: Fetcher, error: unknown): unknown {
  const stopped = error instanceof GantryError && error.kind === "Cancelled";
  return stopped && failed.reason instanceof GantryError ? failed.reason : error;
}
