/** Web servers that hold ACIs and the pages about them: how each is spoken to. */
import { GantryError } from "../base/errors.ts";
import type { Access, Server, ServerCredentials, Servers } from "../inbox/protocol.ts";
import type { Client } from "../transfer/client.ts";
import { type Document, fetchDocument } from "../transfer/document.ts";
import type { Answer, HttpRequest } from "../transfer/exchange.ts";
import { shownUrl } from "../transfer/failure.ts";
import { follow } from "../transfer/redirect.ts";
import { denialOf } from "./denial.ts";

export type Web = {
  readonly client: Client;
  /** Whether http may be asked of a host. */
  allowsHttp(host: string): boolean;
  /** A body as a stream, redirects followed. Throws AccessDenied besides what follow() throws. */
  open(url: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** An answer of at most `limit` bytes, whatever its status. */
  read(url: string, limit: number): Promise<Document>;
  /** The same, of a page: rkt signed no request for one, and buckets have none. */
  readPage(url: string, limit: number): Promise<Document>;
};

export function openWeb(client: Client, { servers, others }: Servers): Web {
  const find = (url: URL): Omit<Server, "host"> =>
    servers.find(({ host }) => host === url.host) ??
    servers.find(({ host }) => host === url.hostname) ??
    others;
  const request = (text: string, headers: Readonly<Record<string, string>> = {}): HttpRequest => {
    const url = new URL(text);
    const { credentials, ca, insecureTls, plainHttp } = find(url);
    const access = { ca, insecureTls, plainHttp };
    refusePlain(url, access);
    return { url, access, ...identification(credentials, headers) };
  };
  return {
    client,
    allowsHttp: (host) => find(new URL(`http://${host}`)).plainHttp === true,
    open: async (text, headers) => {
      const answer = await follow(client, request(text, headers));
      const url = new URL(text);
      const denial = await denialOf(answer, { url, ...find(url) });
      if (denial === undefined) return answer;
      answer.close();
      throw denial;
    },
    read: async (url, limit) => await fetchDocument(client, { ...request(url), limit }),
    readPage: async (url, limit) =>
      await fetchDocument(client, { ...request(url), signingKey: undefined, limit }),
  };
}

/** Secrets and images alike: without TLS they are anybody's. */
function refusePlain(url: URL, { plainHttp }: Access): void {
  if (url.protocol !== "http:" || plainHttp === true) return;
  throw new GantryError("FetchFailed", `${shownUrl(url)} is not encrypted`, {
    hint: "to allow that: --insecure-options=http",
  });
}

/** Sent without being asked for it: servers of ACIs answer 404 to strangers as often as 401. */
function identification(
  credentials: ServerCredentials | undefined,
  headers: Readonly<Record<string, string>>,
): Pick<HttpRequest, "headers" | "signingKey"> {
  switch (credentials?.kind) {
    case "basic": {
      const pair = Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64");
      return { headers: { ...headers, authorization: `Basic ${pair}` } };
    }
    case "bearer":
      return { headers: { ...headers, authorization: `Bearer ${credentials.token}` } };
    case "aws":
      return { headers, signingKey: credentials };
    case undefined:
      return { headers };
  }
}
