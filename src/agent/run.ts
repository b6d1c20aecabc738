/** The agent from the acquisition of its name to its release: bus, manager, operations and signals in one place. */
import { VERSION } from "../base/version.ts";
import type { Bus } from "../bus/connection.ts";
import type { ObjectTree } from "../bus/objects.ts";
import { type Ownership, ownName } from "../bus/ownership.ts";
import { makeEmitter, serve } from "../bus/service.ts";
import type { Paths } from "../config/paths.ts";
import { BUS_NAME, ROOT_PATH } from "../interface/tables.ts";
import { launchPod } from "../manager/launch.ts";
import { installerOnBus, type Local, managerOnBus, trustOn } from "../manager/local.ts";
import { connectWhenNeeded } from "../systemd/systemd.ts";
import type { Agent } from "./agent.ts";
import { type Changes, makeChanges } from "./changes.ts";
import { imageCollection } from "./image.ts";
import type { Log } from "./log.ts";
import { logControlObject } from "./log-control.ts";
import { managerObject } from "./manager.ts";
import { operationCollection } from "./operation.ts";
import { makeOperations, type Operations } from "./operations.ts";
import { appCollection, podCollection } from "./pod.ts";
import { makeAuthority } from "./polkit.ts";
import { announceChanges, announceOperations } from "./signals.ts";
import { makeSubscribers } from "./subscribers.ts";

export type AgentOptions = {
  readonly bus: Bus;
  readonly paths: Paths;
  /** Milliseconds without need until the name is given up. */
  readonly idle: number;
  readonly log: Log;
};

/** Unanswered calls of one connection; dbus-daemon itself allows 128. */
const MAX_PER_SENDER = 100;

/** systemd kills what has not ended 90 s after its SIGTERM; until shortly before, work may come to its own end. */
const PATIENCE = 75_000;

/** Serves until idle or SIGTERM, and drains. Rejects when the connection is lost or the name is taken. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { bus, paths, log } = options;
  const onFailure = log.failure;
  const emitter = makeEmitter(bus, ROOT_PATH);
  const authority = makeAuthority(bus);
  const subscribers = makeSubscribers(bus, {
    onAdded: () => changes.acquire(),
    onDropped: () => {
      changes.release();
      ownership?.touch();
    },
  });
  const operations = makeOperations(
    announceOperations(emitter, {
      onFailure,
      onBegin: () => void changes.acquire(),
      onEnd: () => ownership?.touch(),
      onForgotten: () => changes.release(),
    }),
  );
  const systemd = connectWhenNeeded();
  const collector = makeCollector(() => service.inFlight() + operations.unfinished() > 0);
  const local: Local = { paths, uid: 0, bus: systemd };
  const agent: Agent = {
    ...{ version: VERSION, images: { paths }, operations, uidOf: authority.uidOf },
    pods: managerOnBus(local),
    installer: installerOnBus(local),
    trust: trustOn(local),
    launch: async (pod, signal) => await launchPod(pod, { systemd: await systemd(), signal }),
    subscribe: (sender) => subscribers.add(sender),
    unsubscribe: (sender) => subscribers.remove(sender),
  };
  const collections = {
    pods: [podCollection(agent), appCollection(agent)],
    images: [imageCollection(agent)],
  };
  const tree: ObjectTree = {
    fixed: [managerObject(agent), logControlObject(log)],
    collections: [...collections.pods, ...collections.images, operationCollection(agent)],
  };
  const changes: Changes = makeChanges({
    ...{ bus, data: paths.data, collections },
    ...announceChanges(emitter, onFailure),
  });
  const service = serve({
    ...{ bus, tree, root: ROOT_PATH, maxPerSender: MAX_PER_SENDER, authorize: authority.authorize },
    onFailure: (error, call) => onFailure(`${call.member} of ${call.sender}`, error),
    onCall: ({ sender, path, member }) => log.write("debug", `${sender} calls ${member} of ${path}`),
    onIdle: () => {
      ownership?.touch();
      collector.touch();
    },
  });
  let ownership: Ownership | undefined;
  ownership = await ownName({
    ...{ bus, name: BUS_NAME, idle: options.idle },
    busy: () => service.inFlight() + operations.unfinished() > 0,
    wanted: () => subscribers.count() > 0,
  });
  closeOnSignal(ownership, operations);
  await ownership.ended;
}

/** Milliseconds after the last call. */
const COLLECT_AFTER = 1000;

/**
 * V8 gives memory back when it allocates, which an agent that waits for its next caller does not. `gc` is there with
 * --expose-gc.
 */
function makeCollector(busy: () => boolean): { touch(): void } {
  const collect = () => {
    if (!busy()) globalThis.gc?.();
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    touch: () => {
      timer ??= setTimeout(collect, COLLECT_AFTER).unref();
      timer.refresh();
    },
  };
}

/**
 * With Type=dbus systemd sends SIGTERM in the very moment the name is released: to be killed by it would lose the
 * calls that had been routed here before.
 */
function closeOnSignal(ownership: Ownership, operations: Operations): void {
  const close = () => {
    ownership.close();
    setTimeout(() => {
      for (const { id } of operations.list()) operations.cancel(id);
    }, PATIENCE).unref();
  };
  process.on("SIGTERM", close);
  process.on("SIGINT", close);
}
