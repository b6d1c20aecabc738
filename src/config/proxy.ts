/** The proxies that the environment names: http_proxy, https_proxy, no_proxy, in either case. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { ProxySettings } from "../inbox/protocol.ts";
import type { Environment } from "./caller-files.ts";

/** Throws BadConfig, naming the variable, for a proxy that is none. */
export function proxySettings(environment: Environment): ProxySettings {
  const http = proxyUrl(environment, "http_proxy");
  const https = proxyUrl(environment, "https_proxy");
  const except = environment["no_proxy"] ?? environment["NO_PROXY"];
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(except === undefined ? {} : { except }),
  };
}

function proxyUrl(environment: Environment, name: string): string | undefined {
  const given = environment[name] || environment[name.toUpperCase()];
  if (!given) return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `http://${given}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.hostname !== "") return url.href;
  // Not the value: a password may be in it.
  throw new GantryError("BadConfig", `the variable ${quoted(name)} is no URL of an http or https proxy`);
}
