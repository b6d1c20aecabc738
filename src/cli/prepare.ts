/** What `prepare` and `run` share. */
import { type ErrorKind, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type {
  FetchWatch,
  LaunchablePod,
  PodManager,
  PodRequest,
  PrepareOptions,
} from "../manager/manager.ts";
import { parsePullPolicy } from "../manager/pull-policy.ts";
import { listenForInterrupt } from "./interrupt.ts";
import { readText } from "./option-text.ts";
import { argumentsHint, type PodWords } from "./pod-grammar.ts";
import { insecureOptions, manifestFile, podRequest } from "./pod-request.ts";
import { showProgress } from "./progress.ts";
import type { Context, OptionValues } from "./verb.ts";

/** Prepares the pod that the words describe, and tells its warnings. */
export async function preparePodWords(context: Context, words: PodWords): Promise<LaunchablePod> {
  const { openManager } = await import("../manager/open.ts");
  await using manager = await openManager(context);
  return await submitWords(context, words, manager);
}

/** Removes a pod that was prepared for a launch that does not come. */
export async function withdrawPod(context: Context, { uuid }: LaunchablePod): Promise<void> {
  const { openManager } = await import("../manager/open.ts");
  await using manager = await openManager(context);
  await manager.removePod(uuid, { force: false });
}

/** Has the agent run the pod that the words describe, and tells its warnings. */
export async function runPodWords(context: Context, words: PodWords): Promise<LaunchablePod> {
  const { refuseForeignDirectory } = await import("../manager/open.ts");
  refuseForeignDirectory(context);
  const { remoteManager } = await import("../manager/remote.ts");
  await using manager = remoteManager(context);
  return await submitWords(context, words, {
    preparePod: manager.runPod,
    prepareManifest: (text, _, options) => manager.runManifest(text, options),
  });
}

/** When images are fetched, and how that is shown. */
export function fetchOptions(
  context: Context,
  options: OptionValues,
): Pick<PrepareOptions, "pullPolicy" | "watchFetch"> {
  const given = options.value("pull-policy");
  return {
    ...(given === undefined ? {} : { pullPolicy: parsePullPolicy(given) }),
    watchFetch: (source) => watchFetch(context, source, options.flag("quiet")),
  };
}

/** While a fetch goes on, an interrupt undoes it. */
function watchFetch(context: Context, source: string, quiet: boolean): FetchWatch {
  const interrupt = listenForInterrupt();
  const display = quiet ? undefined : showProgress(context, source, { present: false });
  return {
    signal: interrupt.signal,
    progress: (progress) => display?.show(progress),
    [Symbol.dispose]: () => {
      display?.[Symbol.dispose]();
      interrupt[Symbol.dispose]();
    },
  };
}

/** How a manager refuses what is no image's name. */
const NO_IMAGE: readonly ErrorKind[] = ["NoSuchImage", "BadReference", "BadImage"];

type Taker = Pick<PodManager, "preparePod" | "prepareManifest">;

async function submitWords(context: Context, words: PodWords, taker: Taker): Promise<LaunchablePod> {
  const file = manifestFile(words);
  const options: PrepareOptions = {
    insecureOptions: insecureOptions(words.options),
    ...fetchOptions(context, words.options),
  };
  const request: PodRequest | undefined = file === undefined ? podRequest(words, context) : undefined;
  const pod =
    request === undefined
      ? await taker.prepareManifest(readText(file ?? "", "pod-manifest"), file ?? "", options)
      : await taker.preparePod(request, options).catch((error) => Promise.reject(explained(error, words)));
  if (!words.options.flag("quiet")) for (const warning of pod.warnings) context.err(`gantry: ${warning}\n`);
  return pod;
}

/** A word that is no image, behind one that is, was rather meant as the app's argument. */
function explained(error: unknown, { apps }: PodWords): unknown {
  if (!(error instanceof GantryError) || !NO_IMAGE.includes(error.kind)) return error;
  const at = apps.findIndex(({ image }, index) => index > 0 && error.message.includes(quoted(image)));
  const hint = argumentsHint(apps, at);
  return hint === undefined ? error : new GantryError(error.kind, error.message, { hint, cause: error });
}
