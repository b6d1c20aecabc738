/** org.gantry1.Manager. */
import { BusError } from "../bus/errors.ts";
import { type Call, type Errand, type FixedObject, implement } from "../bus/objects.ts";
import { type GivenCredentials, parseCredentials } from "../config/given-credentials.ts";
import { MANAGER } from "../interface/manager.ts";
import { ROOT_PATH } from "../interface/tables.ts";
import { IMAGE_GRACE, POD_GRACE, PREPARED_GRACE } from "../manager/grace.ts";
import { collectImages } from "../manager/image-gc.ts";
import {
  describeImages,
  findImage,
  findRemovableImage,
  type ImageRecord,
  imageManifest,
  inspectImage,
  listImages,
} from "../manager/images.ts";
import type { Installed } from "../manager/installer.ts";
import type { PodStatus } from "../manager/manager.ts";
import { type Agent, beginOperation } from "./agent.ts";
import { unpackedSize } from "./image.ts";
import { fetch, remove, verify } from "./image-verbs.ts";
import { installPod, refreshPod, uninstallPod } from "./install-verbs.ts";
import type { Operation, Operations, Progress } from "./operations.ts";
import { imagePath, operationPath, podPath } from "./paths.ts";
import { killPod, newPod, removePod, restartPod, startPod, stopPod } from "./pod-verbs.ts";
import { distrust, fetchKeys, reviewKeys, trustDigest, trustKeys, trustRule } from "./trust-verbs.ts";

const managerFace = implement<typeof MANAGER, Agent>(MANAGER, {
  methods: {
    ListPods: async ({ pods }) => (await pods.listPods()).map(podRow),
    GetPod: async ({ pods }, { pod }) => podPath((await pods.podStatus(pod)).uuid),
    DescribePods: async ({ pods }) => JSON.stringify(await pods.listPods()),
    DescribePod: async ({ pods }, { pod }) => JSON.stringify(await pods.podStatus(pod)),
    PreparePod: (agent, { request, options }, call) =>
      newPod(agent, call, { request, ...fetching(options), start: false }),
    RunPod: (agent, { request, options }, call) =>
      newPod(agent, call, { request, ...fetching(options), start: true }),
    StartPod: async (agent, { pod }, call) => startPod(agent, call, await agent.pods.podStatus(pod)),
    StopPod: async (agent, { pod, options }, call) =>
      stopPod(agent, call, { pod: await agent.pods.podStatus(pod), force: options.force ?? false }),
    RestartPod: async (agent, { pod }, call) => restartPod(agent, call, await agent.pods.podStatus(pod)),
    KillPod: async (agent, { pod, signal, options }) =>
      killPod(agent, { pod: await agent.pods.podStatus(pod), signal, app: options.app }),
    RemovePod: async (agent, { pod, options }, call) =>
      removePod(agent, call, { pod: await agent.pods.podStatus(pod), force: options.force ?? false }),
    ListInstalledPods: async ({ installer }) => (await installer.list()).map(installedRow),
    InstallPod: (agent, { definition, origin, options }, call) =>
      installPod(agent, call, { definition, origin, ...fetching(options) }),
    RefreshPod: (agent, { name }, call) => refreshPod(agent, call, name),
    UninstallPod: (agent, { name }, call) => uninstallPod(agent, call, name),
    ListImages: async ({ images }) => (await listImages(images)).map(imageRow),
    GetImage: async ({ images }, { image }) => imagePath((await findImage(images, image)).id),
    DescribeImages: async ({ images }) => JSON.stringify(await describeImages(images)),
    InspectImage: async ({ images }, { image }) => JSON.stringify(await inspectImage(images, image)),
    GetImageManifest: async ({ images }, { image }) => JSON.stringify(await imageManifest(images, image)),
    FetchImage: (agent, { source, options }, call) =>
      fetch(agent, call, { source, ...fetching(options), signature: options.signature }),
    RemoveImage: async (agent, { image }, call) =>
      remove(agent, call, await findRemovableImage(agent.images, image)),
    ListTrust: async ({ trust }) => JSON.stringify(await trust.list()),
    ExplainTrust: async ({ trust }, { image }) => JSON.stringify(await trust.explain(image)),
    FetchKeys: (agent, place) => fetchKeys(agent, place),
    ReviewKeys: (agent, { text }) => reviewKeys(agent, text),
    TrustKeys: (agent, keys) => trustKeys(agent, keys),
    TrustRule: (agent, { rule }) => trustRule(agent, rule),
    TrustDigest: (agent, consent, call) => trustDigest(agent, call, consent),
    Distrust: (agent, wish) => distrust(agent, wish),
    VerifyImage: async (agent, { image, options }, call) =>
      verify(agent, call, {
        image: await findImage(agent.images, image),
        repair: options.repair ?? false,
        credentials: parseCredentials(options.credentials ?? {}),
      }),
    CollectGarbage: (agent, { options }, call) => collectGarbage(agent, call, options.images ?? false),
    ListOperations: ({ operations }) => operations.list().map(operationRow),
    GetOperation: ({ operations }, { id }) => operationPath(requireOperation(operations, id).id),
    Subscribe: (agent, _, { sender }) => agent.subscribe(sender),
    Unsubscribe: (agent, _, { sender }) => agent.unsubscribe(sender),
  },
  properties: ({ version }) => ({ Version: version }),
});

/** The one object that is always there. */
export function managerObject(agent: Agent): FixedObject<Agent> {
  return { path: ROOT_PATH, faces: [managerFace], entity: () => agent };
}

type FetchOptions = {
  readonly insecure?: readonly string[];
  readonly pullPolicy?: string;
  readonly credentials?: GivenCredentials;
};

/** Throws Usage for credentials that are none. */
function fetching({ insecure = [], pullPolicy, credentials = {} }: FetchOptions) {
  return { insecure, pullPolicy, credentials: parseCredentials(credentials) };
}

function podRow(pod: PodStatus) {
  const { uuid, name = "", state, created = 0, started = 0, ended = 0 } = pod;
  return [uuid, name, state, podPath(uuid), BigInt(created), BigInt(started), BigInt(ended)] as const;
}

function installedRow({ name, unit, path }: Installed) {
  return [name, unit, path] as const;
}

function imageRow(image: ImageRecord) {
  return [image.id, image.names, unpackedSize(image), BigInt(image.imported), imagePath(image.id)] as const;
}

function operationRow({ id, kind, target, phase, progress }: Operation) {
  return [operationPath(id), kind, target, phase, progress] as const;
}

function requireOperation(operations: Operations, id: string): Operation {
  const operation = operations.find(id);
  if (operation === undefined)
    throw new BusError("UnknownObject", `There is no operation ${id.slice(0, 64)}.`);
  return operation;
}

function collectGarbage(agent: Agent, call: Call, images: boolean): Errand<string> {
  const run = async (progress: Progress) => {
    const options = { gracePeriod: POD_GRACE, expirePrepared: PREPARED_GRACE, dryRun: false };
    const { removed, notes } = await agent.pods.collectPods(options);
    for (const note of notes) progress.warn(note);
    const gone = images
      ? await collectImages(agent.images, { gracePeriod: IMAGE_GRACE, dryRun: false })
      : { images: [] };
    return [...removed.map(({ uuid }) => uuid), ...gone.images.map(({ id }) => id)].join(" ");
  };
  return {
    demand: { details: { verb: "gc" } },
    run: () => beginOperation(agent, call, { kind: "gc", target: "", run }),
  };
}
