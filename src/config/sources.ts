/** From a registry's name, and all that is configured, to what the fetcher is asked: servers in order, credentials, proxies. */
import type { Repository } from "../image/repository.ts";
import type { Access, Credentials, RegistryRequest, Source } from "../inbox/protocol.ts";
import { readAuthFiles, registryName } from "./auth-files.ts";
import { callerCredentials, type Environment } from "./caller-files.ts";
import type { Roots } from "./files.ts";
import type { FindCredentials } from "./given-credentials.ts";
import { proxySettings } from "./proxy.ts";
import {
  entryFor,
  type MirrorEntry,
  type RegistryEntry,
  readCertificates,
  readRegistries,
} from "./registry-files.ts";
import { timeLimits } from "./time-limits.ts";
import { CONFIGURATION_DIRECTORIES } from "./trust.ts";

export type SourceOptions = {
  /** Directories of the configuration. */
  readonly roots?: Roots;
  /** The words of `--insecure-options`. */
  readonly insecureOptions: readonly string[];
  /** The process's environment, for proxies. */
  readonly environment: Environment;
  /** Where the caller's own credentials are; absent when the process acts for somebody else. */
  readonly caller?: Environment;
  /** What the caller has handed over. */
  readonly given?: FindCredentials | undefined;
};

export type SourceSettings = Pick<RegistryRequest, "sources" | "proxy" | "signatures" | "limits">;

/** Docker Hub's API is at another host than its names say. */
const HUB = "registry-1.docker.io";

/** Finds credentials for a server by its own name: those of one are never another's. */
type Find = (name: string) => Promise<Credentials | undefined>;

/** Throws BadConfig, naming file and key; Unsupported; TimedOut when a credential helper doesn't answer. */
export async function registrySources(
  repository: Repository,
  options: SourceOptions,
): Promise<SourceSettings> {
  const roots = options.roots ?? CONFIGURATION_DIRECTORIES;
  const name = `${repository.registry}/${repository.repository}`;
  const { entries, limits } = await readRegistries(roots);
  const found = entryFor(entries, name);
  const auth = await readAuthFiles(roots);
  const find: Find = async (server) =>
    (options.caller && (await callerCredentials(options.caller, server))) ??
    options.given?.(server) ??
    auth.registry(server.split("/")[0] ?? "");
  const sources: Source[] = [];
  for (const mirror of found?.entry.mirrors ?? []) {
    sources.push(await mirrorSource(mirror, { rest: found?.rest ?? "", find, options }));
  }
  if (found?.entry.fallback !== "never") {
    sources.push(
      await ownSource(repository, { entry: found?.entry, rest: found?.rest ?? "", find, options }),
    );
  }
  const wanted = !options.insecureOptions.includes("image");
  return {
    sources,
    proxy: proxySettings(options.environment),
    ...timeLimits(limits, found?.entry.limits),
    signatures: { lookaside: found?.entry.lookaside ?? [], cosign: wanted, referrers: wanted },
  };
}

type Surroundings = { readonly rest: string; readonly find: Find; readonly options: SourceOptions };

async function mirrorSource(mirror: MirrorEntry, { rest, find, options }: Surroundings): Promise<Source> {
  const { url, capabilities, credentials } = mirror;
  const own = credentials === undefined ? await find(serverName(url, rest)) : given(credentials);
  return {
    url,
    capabilities,
    repository: rest,
    ...(await access(mirror, options)),
    ...(own === undefined ? {} : { credentials: own }),
  };
}

/** The registry itself, which may be moved to another server. */
async function ownSource(
  { registry, repository }: Repository,
  { entry, rest, find, options }: Surroundings & { readonly entry: RegistryEntry | undefined },
): Promise<Source> {
  const moved = entry?.url;
  const url = moved ?? `https://${registry === "docker.io" ? HUB : registry}`;
  const name = moved === undefined ? `${registry}/${repository}` : serverName(url, rest);
  const credentials = await find(name);
  return {
    url,
    capabilities: ["pull", "resolve"],
    repository: moved === undefined ? repository : rest,
    ...(await access({ url, ca: entry?.ca, insecure: entry?.insecure ?? [] }, options)),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

function given(credentials: NonNullable<MirrorEntry["credentials"]>): Credentials {
  return "token" in credentials ? { kind: "bearer", ...credentials } : { kind: "basic", ...credentials };
}

/** What a server's repository is called by its own host. */
function serverName(url: string, rest: string): string {
  const { host, pathname } = new URL(url);
  return [registryName(host), ...pathname.split("/"), rest].filter(Boolean).join("/");
}

type Trusted = {
  readonly url: string;
  readonly ca?: string | undefined;
  readonly insecure: readonly string[];
};

/** A server whose URL says http was written so on purpose. */
async function access(
  { url, ca, insecure }: Trusted,
  { insecureOptions }: SourceOptions,
): Promise<Omit<Access, "credentials">> {
  const may = (what: string) => insecure.includes(what) || insecureOptions.includes(what);
  return {
    ...(ca === undefined ? {} : { ca: await readCertificates(ca) }),
    ...(may("tls") ? { insecureTls: true } : {}),
    ...(may("http") || url.startsWith("http:") ? { plainHttp: true } : {}),
  };
}
