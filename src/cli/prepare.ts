/** What `prepare` and `run` share. */
import type { LaunchablePod } from "../manager/manager.ts";
import type { PodWords } from "./pod-grammar.ts";
import { insecureOptions, manifestFile, podRequest, readText } from "./pod-options.ts";
import type { Context } from "./verb.ts";

/** Prepares the pod that the words describe, and tells its warnings. */
export async function preparePodWords(context: Context, words: PodWords): Promise<LaunchablePod> {
  const file = manifestFile(words);
  const options = { insecureOptions: insecureOptions(words.options) };
  const request = file === undefined ? podRequest(words, context) : undefined;
  const { localManager } = await import("../manager/local.ts");
  await using manager = localManager(context);
  const pod =
    request === undefined
      ? await manager.prepareManifest(readText("pod-manifest", file ?? ""), file ?? "", options)
      : await manager.preparePod(request, options);
  if (!words.options.flag("quiet")) for (const warning of pod.warnings) context.err(`gantry: ${warning}\n`);
  return pod;
}
