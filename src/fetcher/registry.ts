/** A transfer from registries: the image's documents and signatures into the directory, then its layers as streams. */
import { quoted } from "../base/text.ts";
import { parseRepository } from "../image/repository.ts";
import { createLayout, keepBlob, writeIndex } from "../inbox/layout.ts";
import type { Access, RegistryRequest, Source } from "../inbox/protocol.ts";
import { openLayer } from "../registry/layer.ts";
import { type Resolution, resolveImage } from "../registry/resolution.ts";
import { gatherSignatures } from "../registry/signatures.ts";
import { openSources, type Sources } from "../registry/sources.ts";
import type { Client } from "../transfer/client.ts";
import type { Conversation } from "./conversation.ts";
import { deliver } from "./delivery.ts";

/** Carries out one request. Throws what src/registry throws. */
export async function fetchFromRegistry(
  client: Client,
  conversation: Conversation,
  request: RegistryRequest,
): Promise<void> {
  const reference = parseRepository(request.reference);
  const sources = openSources(client, request.sources, reference.repository);
  const resolution = await resolveImage(sources, reference, request.platform);
  const { manifest, indexes, documents, endpoint } = resolution;
  await createLayout(request.directory);
  for (const [digest, bytes] of documents) await keepBlob(request.directory, digest, bytes);
  const signatures = await gather(client, { request, sources, resolution, repository: reference.repository });
  await writeIndex(request.directory, manifest);
  conversation.say({ event: "resolved", manifest, indexes: [...indexes], signatures, host: endpoint.host });
  const access = accessBeside(request.sources);
  await deliver(conversation, {
    open: (wanted) => openLayer({ client, sources, access }, wanted),
  });
}

async function gather(
  client: Client,
  at: {
    readonly request: RegistryRequest;
    readonly sources: Sources;
    readonly resolution: Resolution;
    readonly repository: string;
  },
) {
  const { request, sources, resolution, repository } = at;
  const search = {
    client,
    sources,
    repository,
    access: accessBeside(request.sources),
    what: quoted(request.reference),
    keep: (digest: string, bytes: Buffer) => keepBlob(request.directory, digest, bytes),
    log: client.log,
  };
  // An image for several machines may be signed as a whole, by its index, or each for itself.
  const subjects = [resolution.manifest, ...resolution.indexes].map(({ digest }) => digest);
  return await gatherSignatures(search, subjects, request.signatures);
}

/** How servers beside the registry are spoken to: like the registry, which comes last, but without its credentials. */
function accessBeside(sources: readonly Source[]): Access {
  const { ca, insecureTls, plainHttp } = sources.at(-1) ?? {};
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(insecureTls === undefined ? {} : { insecureTls }),
    ...(plainHttp === undefined ? {} : { plainHttp }),
  };
}
