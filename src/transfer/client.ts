/**
 * The HTTP client: connections kept per server, what is trusted of TLS, proxies. One exchange is src/transfer/exchange.ts.
 * Node's own client rather than undici: that needs WebAssembly, which a process without writable executable memory does
 * not have, and takes 80 ms longer to load.
 */
import type { Agent as HttpAgent } from "node:http";
import type { AgentOptions } from "node:https";
import { createRequire } from "node:module";
import type { SecureContext } from "node:tls";
import type { Access, ProxySettings, TimeLimits } from "../inbox/protocol.ts";
import { type Limits, limitsOf } from "./limits.ts";
import { PlainAgent } from "./plain-agent.ts";
import { proxyFor } from "./proxy.ts";

export type ClientSettings = {
  readonly proxy?: ProxySettings | undefined;
  /** What this machine trusts, in PEM, asked for when there is TLS; otherwise what came with Node. */
  readonly authorities?: (() => string | undefined) | undefined;
  readonly limits?: TimeLimits | undefined;
  /** Hears of attempts that are repeated, in sentences. */
  readonly log?: (text: string) => void;
};

/** A way to a server. */
export type Route = {
  readonly agent: HttpAgent;
  /** How the server's TLS is checked, also behind a proxy's tunnel. */
  readonly tls: AgentOptions;
  /** A proxy that is sent whole requests. */
  readonly proxy?: URL;
};

export type Client = AsyncDisposable & {
  readonly limits: Limits;
  readonly log: (text: string) => void;
  routeTo(url: URL, access: Access): Promise<Route>;
};

/** More connections to one server than streams at a time are of no use. */
const MOST_CONNECTIONS = 6;
/** Opens a client; disposing it closes its connections. */
export function openClient(settings: ClientSettings = {}): Client {
  const agents = new Map<string, HttpAgent>();
  const contexts = new Map<string, SecureContext | undefined>();
  return {
    limits: limitsOf(settings.limits),
    log: settings.log ?? (() => undefined),
    routeTo: async (url, access) => {
      const proxy = proxyFor(url, settings.proxy);
      const whole = proxy !== undefined && url.protocol === "http:";
      const key = JSON.stringify([url.protocol, proxy?.href, access.ca, access.insecureTls === true]);
      const tls = tlsOptions({ url, proxy, settings, access, contexts });
      const agent = agents.get(key) ?? (await makeAgent({ url, proxy, tls }));
      agents.set(key, agent);
      return { agent, tls, ...(whole ? { proxy } : {}) };
    },
    [Symbol.asyncDispose]: async () => {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

/** Loaded where there is TLS: in a process without V8's compiler both take 10 ms. */
export function loadHttps(): typeof import("node:https") {
  return createRequire("/")("node:https");
}

function loadTls(): typeof import("node:tls") {
  return createRequire("/")("node:tls");
}

async function makeAgent({
  url,
  proxy,
  tls,
}: {
  readonly url: URL;
  readonly proxy: URL | undefined;
  readonly tls: AgentOptions;
}): Promise<HttpAgent> {
  const options = { keepAlive: true, maxSockets: MOST_CONNECTIONS };
  // A request that a proxy gets as a whole is no secret from it; for https it only passes bytes on.
  if (url.protocol === "http:") {
    return proxy?.protocol === "https:" ? httpsAgent({ ...options, ...tls }) : new PlainAgent(options);
  }
  if (proxy === undefined) return httpsAgent({ ...options, ...tls });
  const { HttpsProxyAgent } = await import("https-proxy-agent");
  return new HttpsProxyAgent(proxy.href, { ...options, ...tls });
}

function httpsAgent(options: AgentOptions): HttpAgent {
  const { Agent } = loadHttps();
  return new Agent(options);
}

type TlsSources = {
  readonly url: URL;
  readonly proxy: URL | undefined;
  readonly settings: ClientSettings;
  readonly access: Access;
  readonly contexts: Map<string, SecureContext | undefined>;
};

function tlsOptions({ url, proxy, settings, access, contexts }: TlsSources): AgentOptions {
  if (![url.protocol, proxy?.protocol].includes("https:")) return {};
  const check = { rejectUnauthorized: access.insecureTls !== true };
  const key = access.ca ?? "";
  // Made once: hundreds of certificates are parsed for it.
  const secureContext = contexts.get(key) ?? makeContext(settings.authorities?.(), access.ca);
  contexts.set(key, secureContext);
  return { ...check, ...(secureContext === undefined ? {} : { secureContext }) };
}

/** Undefined where Node's own authorities are all: it has them parsed already. */
function makeContext(authorities: string | undefined, own: string | undefined): SecureContext | undefined {
  if (authorities === undefined && own === undefined) return undefined;
  const { createSecureContext, rootCertificates } = loadTls();
  const known = authorities === undefined ? rootCertificates : [authorities];
  return createSecureContext({ ca: own === undefined ? [...known] : [...known, own] });
}
