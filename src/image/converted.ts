/** What an appc manifest that was an OCI or Docker configuration says in annotations, since appc has no place for it. */
import { GantryError } from "../base/errors.ts";
import { signalName } from "./app.ts";
import type { ImageApp } from "./record.ts";

/** docker2aci's: the two lists that `exec` consists of, of which arguments of a user replace the second. */
export const ENTRYPOINT = "appc.io/docker/entrypoint";
export const CMD = "appc.io/docker/cmd";
export const STOP_SIGNAL = "gantry/stop-signal";

/** The command and stop signal of a manifest by its annotations; appc's own meaning where they say nothing that fits. */
export function convertedApp(
  exec: readonly string[],
  annotations: Readonly<Record<string, string>>,
): Pick<ImageApp, "entrypoint" | "cmd" | "stopSignal"> {
  const entrypoint = wordsOf(annotations[ENTRYPOINT]);
  const cmd = wordsOf(annotations[CMD]);
  const fits = JSON.stringify([...(entrypoint ?? []), ...(cmd ?? [])]) === JSON.stringify(exec);
  const command =
    entrypoint !== undefined && cmd !== undefined && fits
      ? { entrypoint, cmd }
      : { entrypoint: [...exec], cmd: [] };
  return { ...command, stopSignal: stopSignalOf(annotations[STOP_SIGNAL]) };
}

function wordsOf(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  try {
    const words: unknown = JSON.parse(text);
    if (words === null) return [];
    return Array.isArray(words) && words.every((word) => typeof word === "string") ? words : undefined;
  } catch {
    return undefined;
  }
}

function stopSignalOf(text: string | undefined): string {
  if (text === undefined) return "SIGTERM";
  try {
    return signalName(text, "the image manifest");
  } catch (error) {
    if (error instanceof GantryError) return "SIGTERM";
    throw error;
  }
}
