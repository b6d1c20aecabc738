/** What the fetcher is asked for an image of a registry: which servers, how they are spoken to. */
import type { HostPlatform } from "../image/platform.ts";
import { type Repository, repositoryText } from "../image/repository.ts";
import type { RegistryRequest } from "../inbox/protocol.ts";
import type { Errand } from "../transport/fetcher.ts";
import type { InsecureOption } from "../trust/verdict.ts";

/** Docker Hub's API is at another host than its names say. */
const HUB = "registry-1.docker.io";

export type ErrandOptions = {
  readonly insecureOptions: readonly InsecureOption[];
  readonly host: HostPlatform;
};

export async function registryErrand(
  repository: Repository,
  { insecureOptions, host }: ErrandOptions,
): Promise<Errand<RegistryRequest>> {
  const server = repository.registry === "docker.io" ? HUB : repository.registry;
  const [insecureTls, plainHttp] = [insecureOptions.includes("tls"), insecureOptions.includes("http")];
  const { os, architecture, variants } = host;
  return {
    kind: "registry",
    reference: repositoryText(repository),
    platform: { os, architecture, variants: [...variants] },
    sources: [{ url: `https://${server}`, capabilities: ["pull", "resolve"], insecureTls, plainHttp }],
    signatures: { lookaside: [], cosign: false, referrers: false },
  };
}
