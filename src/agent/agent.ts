/** What the objects on the bus are made of: pods and images from the manager, operations from here. */
import type { Call } from "../bus/objects.ts";
import type { ImageManager } from "../manager/images.ts";
import type { Installer } from "../manager/installer.ts";
import type { LaunchablePod, PodManager } from "../manager/manager.ts";
import type { TrustVerbs } from "../manager/trust-verbs.ts";
import type { Operations, Progress } from "./operations.ts";
import { operationPath } from "./paths.ts";

export type Agent = {
  readonly version: string;
  readonly pods: PodManager;
  readonly images: ImageManager;
  readonly installer: Installer;
  readonly trust: Omit<TrustVerbs, keyof AsyncDisposable>;
  readonly operations: Operations;
  /** Starts a prepared pod; resolves when every app is ready. */
  launch(pod: LaunchablePod, signal: AbortSignal): Promise<void>;
  /** The user behind a caller. */
  uidOf(sender: string): Promise<number>;
  /** Keeps the agent and its signals going while the caller is on the bus. */
  subscribe(sender: string): Promise<undefined>;
  unsubscribe(sender: string): undefined;
};

export type Work = {
  /** Noun and verb, such as `pod.run`. */
  readonly kind: string;
  readonly target: string;
  /** Resolves to the operation's result. */
  run(progress: Progress, uid: number): Promise<string>;
};

/** Begins an operation for a caller and gives its path. */
export async function beginOperation(agent: Agent, call: Call, work: Work): Promise<string> {
  const owner = await agent.uidOf(call.sender);
  const operation = agent.operations.begin({
    ...{ kind: work.kind, target: work.target, owner },
    run: (progress) => work.run(progress, owner),
  });
  return operationPath(operation.id);
}
