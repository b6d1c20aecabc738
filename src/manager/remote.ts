/** The manager on the other side of the bus: what everybody but root uses. The agent asks polkit about each caller. */
import { constants } from "node:os";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { callMethod, type Peer } from "../bus/client.ts";
import type { Environment } from "../config/caller-files.ts";
import { DEFAULT_PATHS, podDirectory } from "../config/paths.ts";
import { fileReferenceText, parseImageReference } from "../image/reference.ts";
import { MANAGER } from "../interface/manager.ts";
import { parseSignal } from "../pod/words.ts";
import { type AgentLink, openAgentLink } from "./agent-link.ts";
import { WARNING, work } from "./agent-operation.ts";
import type { LaunchablePod, PodManager, PodRequest, PodStatus, PrepareOptions } from "./manager.ts";
import type { Caller } from "./open.ts";
import { fetchOptions, watchFetches } from "./remote-fetch.ts";
import { waitForPod } from "./wait.ts";

/** How often a waiter looks, in milliseconds. */
const POLL = 200;

/** Besides what every manager does, the agent launches: the caller may not. */
export type RemoteManager = PodManager & {
  runPod(request: PodRequest, options: PrepareOptions): Promise<LaunchablePod>;
  runManifest(text: string, options: PrepareOptions): Promise<LaunchablePod>;
  /** Gives the UUID once every app is ready. LaunchFailed, NotTrusted, PodBusy, NoSuchPod. */
  startPod(word: string): Promise<string>;
  /** Removes what has waited for long enough; gives the ids of the pods, and what the user should know. */
  collectGarbage(): Promise<{ readonly pods: readonly string[]; readonly notes: readonly string[] }>;
  /** The same as startPod(), after a stop of what runs. */
  restartPod(word: string): Promise<string>;
};

/** Opens the manager; the agent is started by the first call. Throws AccessDenied where polkit refuses. */
export function remoteManager({
  authentication,
  environment,
}: Pick<Caller, "authentication" | "environment">): RemoteManager {
  const agent = openAgentLink(authentication);
  const create = (member: "PreparePod" | "RunPod") => (json: string, options: PrepareOptions) =>
    createPod(agent, member, { json, options, environment });
  const prepare = create("PreparePod");
  const run = create("RunPod");
  return {
    preparePod: (request, options) => prepare(requestJson(request), options),
    prepareManifest: (text, _, options) => prepare(text, options),
    runPod: (request, options) => run(requestJson(request), options),
    runManifest: (text, options) => run(text, options),
    startPod: (word) =>
      work(agent, (peer) => callMethod(peer, [MANAGER, "StartPod"], { pod: word, options: {} })),
    restartPod: (word) =>
      work(agent, (peer) => callMethod(peer, [MANAGER, "RestartPod"], { pod: word, options: {} })),
    launchablePod: () => Promise.reject(needsRoot("launch a pod itself")),
    startInstalled: () => Promise.reject(needsRoot("start a pod's unit itself")),
    listPods: () => listPods(agent),
    podStatus: (word) => podStatus(agent, word),
    waitPod: async (word, what, timeout) => {
      const { uuid } = await podStatus(agent, word);
      return await waitForPod({ what, timeout, every: POLL, look: () => podStatus(agent, uuid) });
    },
    podManifest: () => Promise.reject(needsRoot("read a pod's manifest, which may hold secrets")),
    stopPod: (word, options) => stopPod(agent, word, options),
    killPod: (word, options) => killPod(agent, word, options),
    removePod: (word, options) =>
      work(agent, (peer) => callMethod(peer, [MANAGER, "RemovePod"], { pod: word, options })),
    collectGarbage: () => collectGarbage(agent),
    collectPods: () => Promise.reject(needsRoot("collect garbage with times of its own")),
    [Symbol.asyncDispose]: () => agent.close(),
  };
}

type Wish = {
  readonly json: string;
  readonly options: PrepareOptions;
  readonly environment: Environment | undefined;
};

async function createPod(
  agent: AgentLink,
  member: "PreparePod" | "RunPod",
  { json, options, environment }: Wish,
): Promise<LaunchablePod> {
  const warnings: string[] = [];
  const { podCredentials } = await import("./remote-credentials.ts");
  const wishes = {
    ...fetchOptions(options),
    ...(await podCredentials(agent, { json, options, environment })),
  };
  const begin = (manager: Peer) => callMethod(manager, [MANAGER, member], { request: json, options: wishes });
  const fetches = watchFetches(options);
  const uuid = await work(agent, begin, {
    onLog: (line, priority) => priority <= WARNING && warnings.push(line),
    ...fetches,
  }).finally(() => fetches[Symbol.dispose]());
  const status = await podStatus(agent, uuid);
  const directory = podDirectory(DEFAULT_PATHS, uuid);
  return { ...{ uuid, name: status.name ?? "", directory, terminal: false, stdin: false }, warnings };
}

/** The agent's working directory is not the caller's: files are named in full. */
function requestJson(request: PodRequest): string {
  const apps = request.apps.map((app) => ({ ...app, image: absoluteSource(app.image) }));
  return JSON.stringify({ ...request, apps });
}

/** An image argument as it means the same everywhere on this host. Throws BadReference. */
export function absoluteSource(argument: string): string {
  const reference = parseImageReference(argument);
  return "path" in reference ? fileReferenceText(reference) : argument;
}

async function listPods(agent: AgentLink): Promise<PodStatus[]> {
  return JSON.parse(await agent.ask((manager) => callMethod(manager, [MANAGER, "DescribePods"], {})));
}

async function podStatus(agent: AgentLink, word: string): Promise<PodStatus> {
  return JSON.parse(
    await agent.ask((manager) => callMethod(manager, [MANAGER, "DescribePod"], { pod: word })),
  );
}

async function stopPod(
  agent: AgentLink,
  word: string,
  options: { readonly force: boolean },
): Promise<{ uuid: string; stopped: boolean }> {
  const { uuid, state } = await podStatus(agent, word);
  await work(agent, (peer) => callMethod(peer, [MANAGER, "StopPod"], { pod: uuid, options }));
  return { uuid, stopped: state !== "exited" };
}

async function killPod(
  agent: AgentLink,
  word: string,
  { app, signal }: { readonly app?: string; readonly signal: string },
): Promise<void> {
  const number = parseSignal(signal, constants.signals);
  if (number === undefined) throw new GantryError("Usage", `${quoted(signal)} is not a signal`);
  const options = app === undefined ? {} : { app };
  await agent.demand((manager) =>
    callMethod(manager, [MANAGER, "KillPod"], { pod: word, signal: number, options }),
  );
}

async function collectGarbage(agent: AgentLink): Promise<{ pods: string[]; notes: string[] }> {
  const notes: string[] = [];
  const result = await work(agent, (peer) => callMethod(peer, [MANAGER, "CollectGarbage"], { options: {} }), {
    onLog: (line, priority) => priority <= WARNING && notes.push(line),
  });
  return { pods: result.split(" ").filter((id) => id !== ""), notes };
}

function needsRoot(what: string): GantryError {
  return new GantryError("AccessDenied", `only root may ${what}`);
}
