/** Following redirects, without telling the next server what was meant for the last. */
import { GantryError } from "../base/errors.ts";
import type { Client } from "./client.ts";
import { type Answer, exchange, type HttpRequest } from "./exchange.ts";
import { shownUrl } from "./failure.ts";

const MOST_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const SECRETS: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);

/** Sends a request and follows its redirects. Throws FetchFailed, TimedOut. */
export async function follow(client: Client, request: HttpRequest): Promise<Answer> {
  let current = request;
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    const answer = await exchange(client, current);
    const { location } = answer.headers;
    if (!REDIRECTS.has(answer.status) || location === undefined || current.method === "POST") return answer;
    answer.close();
    current = redirected(current, location);
  }
  const message = `${shownUrl(request.url)} redirects more than ${MOST_REDIRECTS} times`;
  throw new GantryError("FetchFailed", message);
}

/** The request that a redirect asks for. Throws FetchFailed for a place that may not be asked. */
export function redirected(request: HttpRequest, location: string): HttpRequest {
  const url = URL.canParse(location, request.url.href) ? new URL(location, request.url) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new GantryError(
      "FetchFailed",
      `${shownUrl(request.url)} redirects to what is no http or https URL`,
    );
  }
  if (request.url.protocol === "https:" && url.protocol === "http:" && request.access.plainHttp !== true) {
    const message = `${shownUrl(request.url)} redirects to ${shownUrl(url)}, which is not encrypted`;
    throw new GantryError("FetchFailed", message, { hint: "to allow that: --insecure-options=http" });
  }
  url.username = "";
  url.password = "";
  if (url.origin === request.url.origin) return { ...request, url };
  // The credentials of `access` stay with the caller; what the client itself sends is the header.
  const open = Object.entries(request.headers ?? {}).filter(([name]) => !SECRETS.has(name.toLowerCase()));
  const { signingKey, ...rest } = request;
  return { ...rest, url, headers: Object.fromEntries(open) };
}
