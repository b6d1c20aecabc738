/** One HTTP exchange, within its time limits: a request out, the answer's status and headers back, its body as a stream. */
import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { GantryError } from "../base/errors.ts";
import type { Access, SigningKey } from "../inbox/protocol.ts";
import { watchedBody } from "./body.ts";
import { type Client, loadHttps, type Route } from "./client.ts";
import { exchangeFailure, shownUrl } from "./failure.ts";
import { bareHost } from "./proxy.ts";
import { signed } from "./signing.ts";

export type HttpRequest = {
  readonly url: URL;
  readonly method?: "GET" | "HEAD" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly access: Access;
  /** Each exchange is signed with it anew: a signature is for one URL and some minutes. */
  readonly signingKey?: SigningKey | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type Answer = {
  /** The URL that answered, which redirects may have made another than the request's. */
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end, or closed. */
  readonly body: AsyncIterable<Buffer>;
  readonly close: () => void;
};

/** Sends one request, without following redirects. Throws FetchFailed, TimedOut. */
export async function exchange(client: Client, request: HttpRequest): Promise<Answer> {
  const { signingKey } = request;
  const sent = signingKey === undefined ? request : await signed(request, signingKey);
  const message = await answerTo(client, sent, await client.routeTo(request.url, request.access));
  // A connection that breaks after the body has been left alone must not end the process.
  message.on("error", () => undefined);
  return {
    url: request.url,
    status: message.statusCode ?? 0,
    headers: message.headers,
    body: watchedBody(message, { url: request.url, limits: client.limits }),
    close: () => message.destroy(),
  };
}

function answerTo(client: Client, request: HttpRequest, route: Route): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = startRequest(request, route);
    const fail = (cause: unknown) => {
      reject(exchangeFailure(request.url, request.signal?.aborted === true ? request.signal.reason : cause));
    };
    boundWaiting(outgoing, client, request.url);
    outgoing.on("error", fail);
    outgoing.on("response", resolve);
    // What a proxy answers instead of opening a tunnel is no answer of the server's.
    outgoing.on("proxyConnect", ({ statusCode }: { readonly statusCode: number }) => {
      if (statusCode !== 200) outgoing.destroy(refusedByProxy(request.url, statusCode));
    });
    outgoing.end(request.body);
  });
}

function startRequest({ url, signal, ...request }: HttpRequest, { agent, tls, proxy }: Route): ClientRequest {
  const start = url.protocol === "https:" ? loadHttps().request : requestHttp;
  const to = proxy ?? url;
  return start({
    ...(url.protocol === "https:" ? tls : {}),
    agent,
    method: request.method ?? "GET",
    protocol: to.protocol,
    host: bareHost(to.hostname),
    ...(to.port === "" ? {} : { port: to.port }),
    path: proxy === undefined ? `${url.pathname}${url.search}` : withoutUser(url),
    // Bytes are verified as they were stored: nothing may be packed on the way.
    headers: {
      host: url.host,
      "accept-encoding": "identity",
      "user-agent": "gantry",
      ...proxyAuthorization(proxy),
      ...request.headers,
    },
    ...(signal === undefined ? {} : { signal }),
  });
}

function withoutUser(url: URL): string {
  return `${url.origin}${url.pathname}${url.search}`;
}

function proxyAuthorization(proxy: URL | undefined): Record<string, string> {
  if (proxy === undefined || (proxy.username === "" && proxy.password === "")) return {};
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(user).toString("base64")}` };
}

/** Bounds the time until a connection stands, and from then on the time until the answer's header has come. */
function boundWaiting(outgoing: ClientRequest, { limits }: Client, url: URL): void {
  const expire = (what: string, after: number) =>
    setTimeout(() => outgoing.destroy(late(url, what, after)), after);
  let timer = expire("no connection", limits.connect);
  const connected = () => {
    clearTimeout(timer);
    timer = expire("no answer", limits.idle);
  };
  outgoing.on("socket", (socket) => {
    const secure = isSecure(socket);
    if (secure ? socket.getProtocol() !== null && !socket.connecting : !socket.connecting) connected();
    else socket.once(secure ? "secureConnect" : "connect", connected);
  });
  for (const end of ["response", "close"]) outgoing.on(end, () => clearTimeout(timer));
}

/** Every TLSSocket says so (tls.TLSSocket.encrypted); its class is loaded only where there is TLS. */
function isSecure(socket: Socket): socket is TLSSocket {
  return "encrypted" in socket;
}

function late(url: URL, what: string, after: number): GantryError {
  return new GantryError("TimedOut", `${shownUrl(url)}: ${what} within ${after / 1000} s`);
}

function refusedByProxy(url: URL, status: number): GantryError {
  const hint = status === 407 ? { hint: "the proxy wants a user and a password in its URL" } : {};
  return new GantryError("FetchFailed", `${shownUrl(url)}: the proxy answers ${status}`, hint);
}
