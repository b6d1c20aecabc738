/** What can be done to installed pods: each verb as an errand. */
import type { Call, Demand, Errand } from "../bus/objects.ts";
import type { FindCredentials } from "../config/given-credentials.ts";
import { ACTIONS } from "../interface/actions.ts";
import { outlineOf, requireInstalled } from "../manager/install.ts";
import type { InstalledPod } from "../manager/installer.ts";
import { parsePullPolicy } from "../manager/pull-policy.ts";
import { type Agent, beginOperation } from "./agent.ts";
import { watchFetch } from "./fetch-watch.ts";
import type { Progress } from "./operations.ts";

export type NewInstallation = {
  readonly definition: string;
  readonly origin: string;
  readonly insecure: readonly string[];
  readonly pullPolicy: string | undefined;
  readonly credentials: FindCredentials;
};

/** Throws BadManifest: what a definition is about has to be known before anybody is asked about it. */
export function installPod(agent: Agent, call: Call, wish: NewInstallation): Errand<string> {
  const { insecure, pullPolicy, origin, credentials } = wish;
  const given = { text: wish.definition, origin };
  const { name, images } = outlineOf(given);
  const demand = {
    details: { verb: "install", pod: name, image: images.join(" ") },
    further: insecure.length > 0 ? [ACTIONS.imageSkipVerification] : [],
  };
  const policy = parsePullPolicy(pullPolicy ?? "new");
  const installation = { ...given, insecureOptions: insecure, pullPolicy: policy, credentials };
  const run = async (progress: Progress, uid: number) => {
    progress.phase("preparing");
    const watch = (source: string) => watchFetch(progress, source);
    return told(await agent.installer.install({ ...installation, uid, watchFetch: watch }), progress);
  };
  return errand(agent, call, { verb: "install", name, demand, run });
}

/** Throws NoSuchPod. */
export async function refreshPod(agent: Agent, call: Call, name: string): Promise<Errand<string>> {
  await requireInstalled(name);
  const run = async (progress: Progress) => {
    progress.phase("preparing");
    return told(await agent.installer.refresh(name), progress);
  };
  return errand(agent, call, { verb: "refresh", name, demand: named("refresh", name), run });
}

/** Throws NoSuchPod. */
export async function uninstallPod(agent: Agent, call: Call, name: string): Promise<Errand<string>> {
  await requireInstalled(name);
  const run = async (progress: Progress) => {
    progress.phase("removing");
    return await agent.installer.uninstall(name);
  };
  return errand(agent, call, { verb: "uninstall", name, demand: named("uninstall", name), run });
}

type Deed = {
  readonly verb: string;
  readonly name: string;
  readonly demand: Demand;
  run(progress: Progress, uid: number): Promise<string>;
};

function errand(agent: Agent, call: Call, { verb, name, demand, run }: Deed): Errand<string> {
  return {
    demand,
    run: () => beginOperation(agent, call, { kind: `pod.${verb}`, target: name, run }),
  };
}

function named(verb: string, pod: string): Demand {
  return { details: { verb, pod } };
}

/** Tells what the user should know; gives the pod's id. */
function told({ uuid, warnings }: InstalledPod, progress: Progress): string {
  for (const warning of warnings) progress.warn(warning);
  return uuid;
}
