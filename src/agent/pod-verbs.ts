/** What can be done to pods: each verb as an errand, shared by the Manager's methods and the Pod's. */
import type { Call, Demand, Errand } from "../bus/objects.ts";
import type { FindCredentials } from "../config/given-credentials.ts";
import { ACTIONS } from "../interface/actions.ts";
import type { PodStatus } from "../manager/manager.ts";
import { parsePullPolicy } from "../manager/pull-policy.ts";
import { type Agent, beginOperation } from "./agent.ts";
import { watchFetch } from "./fetch-watch.ts";
import type { Progress } from "./operations.ts";
import { parsePodRequest } from "./pod-request.ts";

export type NewPod = {
  readonly request: string;
  readonly insecure: readonly string[];
  readonly pullPolicy: string | undefined;
  readonly credentials: FindCredentials;
};

/** Prepares a pod; with `start`, runs it. Throws BadManifest for what is no request at all. */
export function newPod(
  agent: Agent,
  call: Call,
  { start, ...wish }: NewPod & { start: boolean },
): Errand<string> {
  const request = parsePodRequest(wish.request);
  const verb = start ? "run" : "prepare";
  const image = request.images.join(" ");
  const target = request.name ?? image;
  const pullPolicy = parsePullPolicy(wish.pullPolicy ?? "new");
  const run = async (progress: Progress, uid: number) => {
    progress.phase("preparing");
    const pod = await request.prepare(agent.pods, {
      ...{ insecureOptions: wish.insecure, pullPolicy, uid, credentials: wish.credentials },
      watchFetch: (source) => watchFetch(progress, source),
    });
    for (const warning of pod.warnings) progress.warn(warning);
    if (start) await launch(agent, pod.uuid, progress);
    return pod.uuid;
  };
  return {
    demand: {
      details: { verb, pod: request.name ?? "", image },
      further: wish.insecure.length > 0 ? [ACTIONS.imageSkipVerification] : [],
    },
    run: () => beginOperation(agent, call, { kind: `pod.${verb}`, target, run }),
  };
}

export function startPod(agent: Agent, call: Call, pod: PodStatus): Errand<string> {
  const run = (progress: Progress) => launch(agent, pod.uuid, progress);
  return errand(agent, call, { verb: "start", pod, run });
}

export function stopPod(agent: Agent, call: Call, { pod, force }: Ending): Errand<string> {
  return errand(agent, call, { verb: "stop", pod, run: (progress) => stop(agent, { pod, force }, progress) });
}

export function restartPod(agent: Agent, call: Call, pod: PodStatus): Errand<string> {
  const run = async (progress: Progress) => {
    // It is not stopped before it is known that it can start again.
    const { service } = await agent.pods.launchablePod(pod.uuid, { again: true, running: true });
    if (service !== undefined) return await startInstalled(agent, pod.uuid, { progress, restart: true });
    if (pod.state !== "prepared") await stop(agent, { pod, force: false }, progress);
    return await launch(agent, pod.uuid, progress);
  };
  return errand(agent, call, { verb: "restart", pod, run });
}

export function removePod(agent: Agent, call: Call, { pod, force }: Ending): Errand<string> {
  const run = async (progress: Progress) => {
    progress.phase("removing");
    return await agent.pods.removePod(pod.uuid, { force });
  };
  return errand(agent, call, { verb: "remove", pod, run });
}

export type Signalling = {
  readonly pod: PodStatus;
  readonly signal: number;
  readonly app: string | undefined;
};

export function killPod(agent: Agent, { pod, signal, app }: Signalling): Errand<undefined> {
  const options = { signal: String(signal), ...(app === undefined ? {} : { app }) };
  return {
    demand: demandOf("kill", pod),
    run: async () => {
      await agent.pods.killPod(pod.uuid, options);
      return undefined;
    },
  };
}

type Ending = { readonly pod: PodStatus; readonly force: boolean };

type Deed = {
  readonly verb: string;
  readonly pod: PodStatus;
  /** Gives the pod's id. */
  run(progress: Progress): Promise<string>;
};

function errand(agent: Agent, call: Call, { verb, pod, run }: Deed): Errand<string> {
  const work = { kind: `pod.${verb}`, target: pod.name ?? pod.uuid, run };
  return { demand: demandOf(verb, pod), run: () => beginOperation(agent, call, work) };
}

function demandOf(verb: string, pod: PodStatus): Demand {
  const images = pod.apps.map(({ image }) => image.name ?? image.id);
  return { details: { verb, pod: pod.name ?? pod.uuid, uuid: pod.uuid, image: images.join(" ") } };
}

async function launch(agent: Agent, uuid: string, progress: Progress): Promise<string> {
  const pod = await agent.pods.launchablePod(uuid, { again: true });
  if (pod.service !== undefined) return await startInstalled(agent, uuid, { progress, restart: false });
  progress.phase("starting");
  await agent.launch(pod, progress.signal);
  return uuid;
}

type InstalledStart = { readonly progress: Progress; readonly restart: boolean };

async function startInstalled(
  agent: Agent,
  uuid: string,
  { progress, restart }: InstalledStart,
): Promise<string> {
  progress.phase(restart ? "restarting" : "starting");
  return await agent.pods.startInstalled(uuid, { restart, signal: progress.signal });
}

async function stop(agent: Agent, { pod, force }: Ending, progress: Progress): Promise<string> {
  progress.phase("stopping");
  return (await agent.pods.stopPod(pod.uuid, { force })).uuid;
}
