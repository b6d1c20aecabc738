/** The servers that may have an image, in order: a mirror that fails is passed over, and the next one is asked. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Capability, Source } from "../inbox/protocol.ts";
import type { Client } from "../transfer/client.ts";
import { type Endpoint, openEndpoint } from "./endpoint.ts";

export type Sources = {
  /**
   * The first endpoint's answer that is one. What they fail by is logged, except the last one's failure, which is
   * thrown.
   */
  first<T>(capability: Capability, attempt: (endpoint: Endpoint) => Promise<T>): Promise<T>;
  /** Those that may do it: in order, but behind the others those that have failed before. */
  with(capability: Capability): readonly Endpoint[];
  /** Notes that an endpoint failed. */
  failed(endpoint: Endpoint): void;
};

/** Where another server can be asked, one is not waited for as long. */
const ATTEMPTS_AT_MIRRORS = { most: 2, longest: 2000 };

/** Opens a request's sources. A source that may not be asked is passed over like one that fails. */
export function openSources(client: Client, sources: readonly Source[], repository: string): Sources {
  const { endpoints, refusal } = openEndpoints(client, sources, repository);
  const failures = new Set<Endpoint>();
  const able = (capability: Capability) => {
    const all = endpoints.filter((endpoint) => endpoint.can(capability));
    return [...all.filter((one) => !failures.has(one)), ...all.filter((one) => failures.has(one))];
  };
  return {
    with: able,
    failed: (endpoint) => failures.add(endpoint),
    first: async (capability, attempt) => {
      let failure = refusal ?? nobody(capability, repository);
      for (const [at, endpoint] of able(capability).entries()) {
        if (at > 0) client.log(`${failure.message}; ${quoted(endpoint.host)} is asked next`);
        try {
          return await attempt(endpoint);
        } catch (error) {
          if (!(error instanceof GantryError)) throw error;
          failures.add(endpoint);
          failure = error;
        }
      }
      throw failure;
    },
  };
}

function openEndpoints(
  client: Client,
  sources: readonly Source[],
  repository: string,
): { readonly endpoints: readonly Endpoint[]; readonly refusal: GantryError | undefined } {
  let refusal: GantryError | undefined;
  const endpoints = sources.flatMap((source, at) => {
    const attempts = at < sources.length - 1 ? { attempts: ATTEMPTS_AT_MIRRORS } : {};
    try {
      return [openEndpoint(client, { source, repository, ...attempts })];
    } catch (error) {
      if (!(error instanceof GantryError)) throw error;
      refusal = error;
      return [];
    }
  });
  return { endpoints, refusal };
}

function nobody(capability: Capability, repository: string): GantryError {
  const may = capability === "resolve" ? "say what a tag is" : "serve images";
  return new GantryError("BadConfig", `of the servers configured for ${quoted(repository)} none may ${may}`, {
    hint: 'a server in registries.d needs the capabilities "pull" and "resolve" for that',
  });
}
