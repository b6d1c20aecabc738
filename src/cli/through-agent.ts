/** Verbs that launch, for those who may not themselves: the agent does it, and polkit decides. */
import { GantryError } from "../base/errors.ts";
import { forEachWord } from "./each.ts";
import { saveUuid } from "./launch.ts";
import type { PodWords } from "./pod-grammar.ts";
import { runPodWords } from "./prepare.ts";
import type { Context } from "./verb.ts";

/** Runs a pod in the background and prints its UUID. Throws AccessDenied for the foreground. */
export async function runThroughAgent(context: Context, words: PodWords): Promise<number> {
  if (!words.options.flag("detach")) throw needsDetach("run");
  const { uuid } = await runPodWords(context, words);
  saveUuid(words.options.value("uuid-file-save"), uuid);
  context.out(`${uuid}\n`);
  return 0;
}

/** Starts pods in the background and prints their UUIDs. */
export async function startThroughAgent(context: Context, words: readonly string[]): Promise<number> {
  return await launchThroughAgent(context, words, "startPod");
}

/** The same for pods that may run. */
export async function restartThroughAgent(context: Context, words: readonly string[]): Promise<number> {
  return await launchThroughAgent(context, words, "restartPod");
}

async function launchThroughAgent(
  context: Context,
  words: readonly string[],
  member: "startPod" | "restartPod",
): Promise<number> {
  const { refuseForeignDirectory } = await import("../manager/open.ts");
  refuseForeignDirectory(context);
  const { remoteManager } = await import("../manager/remote.ts");
  await using manager = remoteManager(context);
  return await forEachWord(context, words, async (word) => {
    context.out(`${await manager[member](word)}\n`);
  });
}

/** The agent has neither the caller's terminal nor his streams. */
export function needsDetach(verb: string): GantryError {
  return new GantryError("AccessDenied", `only root runs a pod in the foreground`, {
    hint: `gantry ${verb} --detach …, then gantry status --wait POD, and gantry logs POD`,
  });
}
