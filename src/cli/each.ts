/** A verb over several pods or images: one failure does not keep the others from being served. */
import { exitStatus, GantryError } from "../base/errors.ts";
import { tellFailure } from "./failure.ts";
import type { Context } from "./verb.ts";

/** Does `step` for every word. With one word its failure is thrown; with more each is told, and the first one counts. */
export async function forEachWord(
  context: Context,
  words: readonly string[],
  step: (word: string) => Promise<void>,
): Promise<number> {
  if (words.length === 1) {
    await step(words[0] ?? "");
    return 0;
  }
  let status = 0;
  for (const word of words) {
    try {
      await step(word);
    } catch (error) {
      if (!(error instanceof GantryError) || error.kind === "Cancelled") throw error;
      tellFailure(context, error);
      status ||= exitStatus(error);
    }
  }
  return status;
}
