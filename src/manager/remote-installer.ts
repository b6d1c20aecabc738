/** Installed pods on the other side of the bus. A definition is read by its owner, and goes over as text. */
import { join } from "node:path";
import { callMethod, type Peer } from "../bus/client.ts";
import type { Environment } from "../config/caller-files.ts";
import { DEFINITION_DIRECTORIES } from "../config/paths.ts";
import { MANAGER } from "../interface/manager.ts";
import { type AgentLink, openAgentLink } from "./agent-link.ts";
import { WARNING, type WorkOptions, work } from "./agent-operation.ts";
import type { Installation, InstalledPod, Installer } from "./installer.ts";
import type { PodStatus } from "./manager.ts";
import type { Caller } from "./open.ts";
import { fetchOptions, watchFetches } from "./remote-fetch.ts";

export function remoteInstaller({
  authentication,
  environment,
}: Pick<Caller, "authentication" | "environment">): Installer {
  const agent = openAgentLink(authentication);
  return {
    list: async () => {
      const rows = await agent.ask((manager) => callMethod(manager, [MANAGER, "ListInstalledPods"], {}));
      return rows.map(([name, unit, path]) => ({ name, unit, path }));
    },
    install: (installation) => install(agent, { installation, environment }),
    refresh: (name) =>
      prepared(agent, (manager) => callMethod(manager, [MANAGER, "RefreshPod"], { name, options: {} })),
    uninstall: (name) =>
      work(agent, (manager) => callMethod(manager, [MANAGER, "UninstallPod"], { name, options: {} })),
    [Symbol.asyncDispose]: () => agent.close(),
  };
}

type Wish = { readonly installation: Installation; readonly environment: Environment | undefined };

async function install(agent: AgentLink, { installation, environment }: Wish): Promise<InstalledPod> {
  const { text, origin } = installation;
  const { podCredentials } = await import("./remote-credentials.ts");
  const credentials = await podCredentials(agent, { json: text, options: installation, environment });
  const args = { definition: text, origin, options: { ...fetchOptions(installation), ...credentials } };
  using fetches = watchFetches(installation);
  return await prepared(agent, (manager) => callMethod(manager, [MANAGER, "InstallPod"], args), fetches);
}

async function prepared(
  agent: AgentLink,
  begin: (manager: Peer) => Promise<string>,
  fetches: WorkOptions = {},
): Promise<InstalledPod> {
  const warnings: string[] = [];
  const onLog = (line: string, priority: number) => priority <= WARNING && warnings.push(line);
  const uuid = await work(agent, begin, { onLog, ...fetches });
  const json = await agent.ask((manager) => callMethod(manager, [MANAGER, "DescribePod"], { pod: uuid }));
  const { name = "", unit = "" } = JSON.parse(json) as PodStatus;
  return { uuid, unit, path: join(DEFINITION_DIRECTORIES[0], `${name}.json`), warnings };
}
