/** Web servers that hold ACIs and the pages about them: how each is spoken to. */
import { GantryError } from "../base/errors.ts";
import type { Access, Credentials, Servers } from "../inbox/protocol.ts";
import type { Client } from "../transfer/client.ts";
import { type Document, fetchDocument } from "../transfer/document.ts";
import type { Answer } from "../transfer/exchange.ts";
import { shownUrl } from "../transfer/failure.ts";
import { follow } from "../transfer/redirect.ts";

export type Web = {
  readonly client: Client;
  /** Whether http may be asked of a host. */
  allowsHttp(host: string): boolean;
  /** A body as a stream, redirects followed. */
  open(url: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** An answer of at most `limit` bytes, whatever its status. */
  read(url: string, limit: number): Promise<Document>;
};

export function openWeb(client: Client, { servers, others }: Servers): Web {
  const access = (url: URL): Access =>
    servers.find(({ host }) => host === url.host) ??
    servers.find(({ host }) => host === url.hostname) ??
    others;
  const request = (text: string, headers: Readonly<Record<string, string>> = {}) => {
    const url = new URL(text);
    const { credentials, ...rest } = access(url);
    refusePlain(url, rest);
    return { url, access: rest, headers: { ...headers, ...authorization(credentials) } };
  };
  return {
    client,
    allowsHttp: (host) => access(new URL(`http://${host}`)).plainHttp === true,
    open: async (url, headers) => await follow(client, request(url, headers)),
    read: async (url, limit) => await fetchDocument(client, { ...request(url), limit }),
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
function authorization(credentials: Credentials | undefined): Record<string, string> {
  switch (credentials?.kind) {
    case "basic": {
      const pair = Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64");
      return { authorization: `Basic ${pair}` };
    }
    case "bearer":
      return { authorization: `Bearer ${credentials.token}` };
    default:
      return {};
  }
}
