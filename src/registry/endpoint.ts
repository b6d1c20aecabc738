/** One source of a repository: where its API is, and how it is spoken to (distribution specification 1.1). */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Capability, Source } from "../inbox/protocol.ts";
import type { Attempts } from "../transfer/attempts.ts";
import type { Client } from "../transfer/client.ts";
import { type Document, fetchDocument } from "../transfer/document.ts";
import type { Answer } from "../transfer/exchange.ts";
import { isUnanswered, shownUrl } from "../transfer/failure.ts";
import { follow } from "../transfer/redirect.ts";
import { type Authorization, openAuthorization } from "./authorization.ts";
import { type Refusal, refusalOf } from "./complaint.ts";

export type Endpoint = {
  /** Names it in messages. */
  readonly host: string;
  can(capability: Capability): boolean;
  /** Asks for what lies below the repository, such as `manifests/latest`, or for a URL of the same server. */
  document(place: string | URL, request: PlaceRequest): Promise<Document>;
  /** Begins to read a blob. */
  stream(digest: string, headers: Readonly<Record<string, string>>): Promise<Answer>;
  /** The failure that an answer to a document means. */
  refusal(document: Document, what: string): GantryError;
};

export type PlaceRequest = { readonly limit: number; readonly accept?: string };

export type EndpointOptions = {
  readonly source: Source;
  /** The repository of the reference, unless the source has it under another name. */
  readonly repository: string;
  /** Attempts for a document, where others can be asked instead. */
  readonly attempts?: Pick<Attempts, "most" | "longest">;
};

type State = Required<Pick<EndpointOptions, "source">> & {
  readonly client: Client;
  readonly base: () => Promise<URL>;
  readonly authorization: Authorization;
  readonly attempts: Pick<Attempts, "most" | "longest">;
};

/** Opens a source. Throws FetchFailed for one that is not encrypted and may not be so. */
export function openEndpoint(
  client: Client,
  { source, repository, attempts = {} }: EndpointOptions,
): Endpoint {
  const url = new URL(source.url);
  refusePlain(url, source);
  const path = [...url.pathname.split("/"), ...(source.repository ?? repository).split("/")].filter(Boolean);
  const { host } = url;
  const state: State = {
    client,
    source,
    base: settledBase(client, new URL(`/v2/${path.join("/")}/`, url), source),
    authorization: openAuthorization(client, {
      host,
      access: source,
      scope: `repository:${path.join("/")}:pull`,
    }),
    attempts,
  };
  return {
    host,
    can: (capability) => source.capabilities.includes(capability),
    document: (place, request) => documentOf(state, place, request),
    stream: (digest, headers) => streamOf(state, digest, headers),
    refusal: (document, what) => refusalOf(document, refusalAt({ what, host }, source)),
  };
}

function refusalAt(at: Pick<Refusal, "what" | "host">, { credentials }: Source): Refusal {
  return { ...at, credentials: credentials !== undefined };
}

function refusePlain(url: URL, { plainHttp }: Source): void {
  if (url.protocol === "https:" || plainHttp === true) return;
  throw new GantryError("FetchFailed", `${shownUrl(url)} is not encrypted`, {
    hint: `to allow that: --insecure-options=http, or "insecure" in a file of registries.d`,
  });
}

async function documentOf(
  state: State,
  place: string | URL,
  { limit, accept }: PlaceRequest,
): Promise<Document> {
  const { client, source: access, authorization, attempts } = state;
  const base = await state.base();
  const url = new URL(place, base);
  if (url.origin !== base.origin) {
    throw new GantryError("FetchFailed", `${quoted(base.host)} refers to ${shownUrl(url)}, another server`);
  }
  const asked = accept === undefined ? {} : { accept };
  return await authorization.apply(url, (headers) =>
    fetchDocument(client, {
      url,
      access,
      limit,
      headers: { ...asked, ...headers },
      attempts,
    }),
  );
}

async function streamOf(
  { client, source: access, authorization, base }: State,
  digest: string,
  asked: Readonly<Record<string, string>>,
): Promise<Answer> {
  const url = new URL(`blobs/${digest}`, await base());
  return await authorization.apply(url, (headers) =>
    follow(client, { url, access, headers: { ...asked, ...headers } }),
  );
}

/** `url`, or the same over http where that is allowed and nobody speaks TLS there. */
function settledBase(client: Client, url: URL, source: Source): () => Promise<URL> {
  if (source.plainHttp !== true || url.protocol === "http:") return async () => url;
  let settled: Promise<URL> | undefined;
  return () => {
    settled ??= answersTls(client, url, source).then((secure) => (secure ? url : withoutTls(url)));
    return settled;
  };
}

async function answersTls(client: Client, base: URL, access: Source): Promise<boolean> {
  const url = new URL("/v2/", base);
  try {
    await fetchDocument(client, { url, access, limit: 64 * 1024, attempts: { most: 1 } });
    return true;
  } catch (error) {
    if (!isUnanswered(error)) throw error;
    client.log(`${quoted(url.host)} does not answer https, and is asked by http as it was allowed`);
    return false;
  }
}

function withoutTls(url: URL): URL {
  const plain = new URL(url);
  plain.protocol = "http:";
  return plain;
}
