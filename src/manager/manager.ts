/**
 * The one interface to pods: the command line knows nothing else of them. In process it is local.ts. Methods throw
 * GantryError with the kinds named.
 */
import type { FindCredentials } from "../config/given-credentials.ts";
import type { Collection, GcOptions, Removal } from "../pod/gc.ts";
import type { PodManifest } from "../pod/manifest.ts";
import type { AppRequestInput, PodRequestInput } from "../pod/request.ts";
import type { AppStatus, PodStatus } from "../pod/status.ts";
import type { Progress } from "../store/progress.ts";
import type { PullPolicy } from "./pull-policy.ts";

export type { AppStatus, Collection, GcOptions, PodManifest, PodStatus, Progress, PullPolicy, Removal };
export type PodRequest = PodRequestInput;
export type AppRequest = AppRequestInput;

export type PrepareOptions = {
  /** Checks that are switched off for images imported on the way, such as `image`. */
  readonly insecureOptions: readonly string[];
  /** When images that are named are fetched; `new` unless said. */
  readonly pullPolicy?: PullPolicy | undefined;
  /** Called when an image has to be fetched; disposed of at the fetch's end. */
  readonly watchFetch?: ((source: string) => FetchWatch) | undefined;
  /** For registries, handed over by who asks. */
  readonly credentials?: FindCredentials | undefined;
  /** Who asks, when that is not who the manager was opened for: the agent works for others. */
  readonly uid?: number;
};

/** Somebody looks on while an image is fetched, and may cancel that. */
export type FetchWatch = Disposable & {
  readonly signal: AbortSignal;
  progress(progress: Progress): void;
};

/** A pod that can be launched. */
export type LaunchablePod = {
  readonly uuid: string;
  /** Its name, or "". */
  readonly name: string;
  readonly directory: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** The unit of an installed pod: systemd starts that, and nobody launches the pod. */
  readonly service?: string;
  /** What the user should know, a sentence each. */
  readonly warnings: readonly string[];
};

export type LaunchableOptions = {
  /** Also one that has exited (start), not only one that was never started (run-prepared). */
  readonly again: boolean;
  /** Also one that runs (restart): it can be launched once it has been stopped. */
  readonly running?: boolean;
};

export type InstalledStart = { readonly restart: boolean; readonly signal?: AbortSignal };

export type WaitFor = "exited" | "ready";

export type PodManager = AsyncDisposable & {
  /** Usage, BadManifest, BadVolume, Unsupported, PodExists, NoSuchImage, NotTrusted, BadImage, StoreFull … */
  preparePod(request: PodRequest, options: PrepareOptions): Promise<LaunchablePod>;
  /** The same for a manifest that a user wrote; `origin` names it in errors. */
  prepareManifest(text: string, origin: string, options: PrepareOptions): Promise<LaunchablePod>;
  /** Throws PodBusy, NoSuchPod, NotTrusted. */
  launchablePod(word: string, options: LaunchableOptions): Promise<LaunchablePod>;
  /**
   * Has systemd start an installed pod, or with `restart` restart it. Gives the UUID of the pod that runs then, which was
   * prepared anew if its definition has changed. LaunchFailed, NotTrusted, NoSuchPod, Cancelled.
   */
  startInstalled(word: string, options: InstalledStart): Promise<string>;
  listPods(): Promise<PodStatus[]>;
  /** NoSuchPod, AmbiguousName. */
  podStatus(word: string): Promise<PodStatus>;
  /** Waits; undefined when `timeout` milliseconds have passed. */
  waitPod(word: string, what: WaitFor, timeout?: number): Promise<PodStatus | undefined>;
  podManifest(word: string): Promise<PodManifest>;
  /** False when it had ended already. PodNotRunning when it was never started. */
  stopPod(
    word: string,
    options: { readonly force: boolean },
  ): Promise<{ readonly uuid: string; readonly stopped: boolean }>;
  /** PodNotRunning, NoSuchApp, Usage for a signal that is none. */
  killPod(word: string, options: { readonly app?: string; readonly signal: string }): Promise<void>;
  /** Gives the UUID. PodBusy. */
  removePod(word: string, options: { readonly force: boolean }): Promise<string>;
  collectPods(options: GcOptions): Promise<Collection>;
};
