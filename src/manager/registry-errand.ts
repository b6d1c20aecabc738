/** What the fetcher is asked for an image of a registry: which servers, how they are spoken to. */
import type { Environment } from "../config/caller-files.ts";
import type { FindCredentials } from "../config/given-credentials.ts";
import { registrySources } from "../config/sources.ts";
import type { HostPlatform } from "../image/platform.ts";
import { type Repository, repositoryText } from "../image/repository.ts";
import type { RegistryRequest } from "../inbox/protocol.ts";
import type { Errand } from "../transport/fetcher.ts";
import type { InsecureOption } from "../trust/verdict.ts";

export type ErrandOptions = {
  readonly insecureOptions: readonly InsecureOption[];
  readonly host: HostPlatform;
  /** Of the caller, where this process is the caller's. */
  readonly environment?: Environment | undefined;
  readonly credentials?: FindCredentials | undefined;
};

/** Throws what reading the configuration throws. */
export async function registryErrand(
  repository: Repository,
  { insecureOptions, host, environment, credentials }: ErrandOptions,
): Promise<Errand<RegistryRequest>> {
  const { os, architecture, variants } = host;
  const settings = await registrySources(repository, {
    insecureOptions,
    given: credentials,
    // Proxies are a machine's matter: what acts for somebody else has them of its own unit.
    environment: environment ?? process.env,
    ...(environment === undefined ? {} : { caller: environment }),
  });
  return {
    kind: "registry",
    reference: repositoryText(repository),
    platform: { os, architecture, variants: [...variants] },
    ...settings,
  };
}
