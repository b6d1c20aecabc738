/**
 * Which proxy a URL is reached through. The rules of HTTP_PROXY, HTTPS_PROXY and NO_PROXY are nowhere written down;
 * these are the ones that curl and Go's net/http share, and Go's exception for this machine itself.
 */
import { BlockList, isIP } from "node:net";
import type { ProxySettings } from "../inbox/protocol.ts";

/** The proxy for `url`, or undefined when it is reached directly. */
export function proxyFor(url: URL, settings: ProxySettings = {}): URL | undefined {
  const proxy = url.protocol === "https:" ? settings.https : settings.http;
  if (proxy === undefined || isThisMachine(url.hostname)) return undefined;
  return isExcepted(url, settings.except ?? "") ? undefined : new URL(proxy);
}

/** A host name or address as a connection wants it: without the brackets of an IPv6 address in a URL. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

function isThisMachine(hostname: string): boolean {
  const host = bareHost(hostname);
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function isExcepted(url: URL, except: string): boolean {
  const entries = except.split(",").map((entry) => entry.trim().toLowerCase());
  return entries.some((entry) => entry !== "" && fits(url, entry));
}

function fits(url: URL, entry: string): boolean {
  if (entry === "*") return true;
  const { host: wanted, port } = cutPort(entry);
  if (port !== undefined && port !== (url.port || (url.protocol === "https:" ? "443" : "80"))) return false;
  const host = bareHost(url.hostname);
  if (isIP(host) !== 0) return addressFits(host, wanted);
  const name = wanted.replace(/^\*?\./, "");
  return host === name || host.endsWith(`.${name}`);
}

function cutPort(entry: string): { readonly host: string; readonly port?: string } {
  if (isIP(entry) === 6) return { host: entry };
  const [, host = entry, port] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  return { host: bareHost(host), ...(port === undefined ? {} : { port }) };
}

function addressFits(address: string, wanted: string): boolean {
  const [network = "", bits] = wanted.split("/");
  const version = isIP(network);
  if (version === 0 || version !== isIP(address)) return false;
  if (bits === undefined) return address === network;
  const length = Number(bits);
  if (!/^\d{1,3}$/.test(bits) || length > (version === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, length, version === 4 ? "ipv4" : "ipv6");
  return list.check(address, version === 4 ? "ipv4" : "ipv6");
}
