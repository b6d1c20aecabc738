/** org.gantry1.Pod and org.gantry1.App. */
import { type Collection, implement } from "../bus/objects.ts";
import { APP } from "../interface/app.ts";
import { POD } from "../interface/pod.ts";
import type { AppStatus, PodStatus } from "../manager/manager.ts";
import type { Agent } from "./agent.ts";
import { APPS, appKey, appPath, PODS, podPath } from "./paths.ts";
import { killPod, removePod, restartPod, startPod, stopPod } from "./pod-verbs.ts";

export type PodEntity = { readonly agent: Agent; readonly pod: PodStatus };
export type AppEntity = { readonly pod: PodStatus; readonly app: AppStatus };

export const podFace = implement<typeof POD, PodEntity>(POD, {
  methods: {
    Describe: ({ pod }) => JSON.stringify(pod),
    Start: ({ agent, pod }, _, call) => startPod(agent, call, pod),
    Stop: ({ agent, pod }, { options }, call) => stopPod(agent, call, { pod, force: options.force ?? false }),
    Restart: ({ agent, pod }, _, call) => restartPod(agent, call, pod),
    Kill: ({ agent, pod }, { signal, options }) => killPod(agent, { pod, signal, app: options.app }),
    Remove: ({ agent, pod }, { options }, call) =>
      removePod(agent, call, { pod, force: options.force ?? false }),
  },
  properties: ({ pod }) => ({
    Id: pod.uuid,
    Name: pod.name ?? "",
    State: pod.state,
    Unit: pod.unit ?? "",
    Apps: pod.apps.map((app) => appPath(pod.uuid, app.name)),
    Created: BigInt(pod.created ?? 0),
    Started: BigInt(pod.started ?? 0),
    Ended: BigInt(pod.ended ?? 0),
    Reason: pod.reason ?? "",
  }),
});

export const appFace = implement<typeof APP, AppEntity>(APP, {
  methods: {},
  properties: ({ pod, app }) => ({
    Name: app.name,
    Pod: podPath(pod.uuid),
    Unit: app.unit,
    Image: app.image.id,
    State: app.state,
    Started: BigInt(app.started ?? 0),
    Ended: BigInt(app.ended ?? 0),
    ExitStatus: exitStatus(app),
    Result: app.result ?? "",
  }),
});

/** All pods that have got beyond their preparation. */
export function podCollection(agent: Agent): Collection<PodEntity> {
  const list = async () =>
    new Map((await agent.pods.listPods()).filter(isWhole).map((pod) => [pod.uuid, { agent, pod }]));
  return { prefix: PODS, faces: [podFace], find: async (uuid) => (await list()).get(uuid), list };
}

/** All apps of all pods. */
export function appCollection(agent: Agent): Collection<AppEntity> {
  const list = async () => new Map((await agent.pods.listPods()).filter(isWhole).flatMap(appEntities));
  return { prefix: APPS, faces: [appFace], find: async (key) => (await list()).get(key), list };
}

/** The apps of a pod by their names among all apps. */
export function appEntities(pod: PodStatus): [key: string, entity: AppEntity][] {
  return pod.apps.map((app) => [appKey(pod.uuid, app.name), { pod, app }]);
}

/** Pods in the making and garbage have no objects: there is nothing that could be done to them. */
export function isWhole(pod: PodStatus): boolean {
  return pod.unit !== undefined;
}

/** As a shell tells it. */
function exitStatus({ status, signal }: AppStatus): number {
  if (signal !== undefined) return 128 + signal;
  return status ?? -1;
}
