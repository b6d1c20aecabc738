/** How the web servers of ACIs and of discovery pages are spoken to: their credentials, authorities and proxies. */
import type { Access, ProxySettings, Server, Servers, TimeLimits } from "../inbox/protocol.ts";
import { type AuthFiles, readAuthFiles } from "./auth-files.ts";
import { proxySettings } from "./proxy.ts";
import { type PlacedEntry, readCertificates, readRegistries } from "./registry-files.ts";
import type { SourceOptions } from "./sources.ts";
import { timeLimits } from "./time-limits.ts";
import { CONFIGURATION_DIRECTORIES } from "./trust.ts";

export type WebSettings = Servers & { readonly proxy: ProxySettings; readonly limits?: TimeLimits };

type Options = Pick<SourceOptions, "roots" | "insecureOptions" | "environment">;

/**
 * Of registries.d an entry for a whole host counts, with its certificates and what is insecure about it; of auth.d the
 * files of the kind `auth`. Throws BadConfig, naming file and key.
 */
export async function webServers({
  roots = CONFIGURATION_DIRECTORIES,
  insecureOptions,
  environment,
}: Options): Promise<WebSettings> {
  const { entries, limits } = await readRegistries(roots);
  const auth = await readAuthFiles(roots);
  const hosts = new Set([...hostsOf(entries), ...auth.servers()]);
  const others = accessOf([], insecureOptions);
  const servers: Servers["servers"] = [];
  for (const host of hosts)
    servers.push({ host, ...(await serverAccess(host, { entries, auth, insecureOptions })) });
  return { servers, others, proxy: proxySettings(environment), ...timeLimits(limits) };
}

function hostsOf(entries: readonly PlacedEntry[]): string[] {
  return entries.map(({ prefix }) => prefix).filter((prefix) => !prefix.includes("/"));
}

async function serverAccess(
  host: string,
  found: {
    readonly entries: readonly PlacedEntry[];
    readonly auth: AuthFiles;
    readonly insecureOptions: readonly string[];
  },
): Promise<Omit<Server, "host">> {
  const entry = found.entries.find(({ prefix }) => prefix === host);
  const placed = found.auth.server(host);
  return {
    ...accessOf(entry?.insecure ?? [], found.insecureOptions),
    ...(entry?.ca === undefined ? {} : { ca: await readCertificates(entry.ca) }),
    ...(placed === undefined ? {} : { credentials: placed.credentials, file: placed.file }),
  };
}

function accessOf(
  configured: readonly string[],
  said: readonly string[],
): Omit<Access, "credentials" | "ca"> {
  const may = (what: string) => configured.includes(what) || said.includes(what);
  return { ...(may("tls") ? { insecureTls: true } : {}), ...(may("http") ? { plainHttp: true } : {}) };
}
