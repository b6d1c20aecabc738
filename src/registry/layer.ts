/** Layers as streams, from whichever source has them. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { parseDigest } from "../image/digest.ts";
import type { Access, Wanted } from "../inbox/protocol.ts";
import type { Client } from "../transfer/client.ts";
import { download } from "../transfer/download.ts";
import type { Answer } from "../transfer/exchange.ts";
import { follow } from "../transfer/redirect.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Sources } from "./sources.ts";

export type LayerStream = AsyncIterable<Buffer> & {
  /** Who it comes from, once the first byte is there. */
  readonly host: () => string;
};

export type LayerOptions = {
  readonly client: Client;
  readonly sources: Sources;
  /** How the servers of a layer's own URLs are spoken to; without credentials. */
  readonly access: Access;
};

type Place = {
  readonly host: string;
  readonly endpoint?: Endpoint;
  readonly open: (headers: Readonly<Record<string, string>>) => Promise<Answer>;
};

/**
 * A layer's bytes, of the size that the manifest says; its digest is for who writes them. Until the first byte is handed
 * on, a source that fails is passed over; after it the same one has to go on.
 */
export function openLayer(options: LayerOptions, wanted: Wanted): LayerStream {
  let host = "";
  return {
    host: () => host,
    [Symbol.asyncIterator]: () => readLayer(options, wanted, (name) => (host = name)),
  };
}

async function* readLayer(
  options: LayerOptions,
  wanted: Wanted,
  from: (host: string) => void,
): AsyncGenerator<Buffer> {
  const { client } = options;
  const what = `layer ${wanted.digest}`;
  const places = placesOf(options, wanted);
  for (const [at, { host, endpoint, open }] of places.entries()) {
    let begun = false;
    try {
      for await (const chunk of download(client, {
        ...{ what, open, size: wanted.size, limit: wanted.size },
        elsewhere: at < places.length - 1,
      })) {
        if (!begun) from(host);
        begun = true;
        yield chunk;
      }
      if (!begun) from(host);
      return;
    } catch (error) {
      const next = places[at + 1];
      if (begun || next === undefined || !(error instanceof GantryError)) throw error;
      if (endpoint !== undefined) options.sources.failed(endpoint);
      client.log(`${error.message}; ${quoted(next.host)} is asked next`);
    }
  }
  throw new GantryError("BadConfig", `${what}: no configured server may serve images`);
}

/** The sources, and then, for layers that registries may not pass on, where the manifest says they are. */
function placesOf({ client, sources, access }: LayerOptions, { digest, urls = [] }: Wanted): Place[] {
  parseDigest(digest);
  const registries = sources.with("pull").map((endpoint) => ({
    host: endpoint.host,
    endpoint,
    open: (headers: Readonly<Record<string, string>>) => endpoint.stream(digest, headers),
  }));
  return [...registries, ...urls.flatMap((url) => foreignPlace(client, url, access))];
}

function foreignPlace(client: Client, text: string, access: Access): Place[] {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const allowed = url?.protocol === "https:" || (url?.protocol === "http:" && access.plainHttp === true);
  if (url === undefined || !allowed) {
    client.log(`${quoted(text)}, where a layer is said to be, is not asked: it is no https URL`);
    return [];
  }
  url.username = "";
  url.password = "";
  return [{ host: url.host, open: (headers) => follow(client, { url, access, headers }) }];
}
