/** Pods by the words that a user names them with. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Paths } from "../config/paths.ts";
import { findDefinition } from "./definition.ts";
import { type PodEntry, podEntries } from "./layout.ts";
import { podOfName } from "./names.ts";
import { isName } from "./words.ts";

/**
 * The pod that `word` means: its UUID, its name, or any beginning of its UUID that fits only one pod. Throws
 * NoSuchPod, AmbiguousName, Usage for an empty word.
 */
export async function findPod(paths: Paths, word: string): Promise<PodEntry> {
  if (word === "") throw new GantryError("Usage", "a pod's UUID or name cannot be empty");
  const entries = (await podEntries(paths)).filter((entry) => entry.phase === "prepared");
  // A whole UUID means that pod, whatever another one is called: programs rely on it.
  const named = isName(word) ? await podOfName(paths, word) : undefined;
  const exact = entries.find(({ uuid }) => uuid === word) ?? entries.find(({ uuid }) => uuid === named);
  const found = exact ?? byPrefix(entries, word);
  if (found !== undefined) return found;
  const installed = (await findDefinition(word)) !== undefined;
  throw new GantryError("NoSuchPod", `there is no pod ${quoted(word)}`, {
    hint: installed ? `it is installed: systemctl start gantry@${word}` : "gantry list",
  });
}

function byPrefix(entries: readonly PodEntry[], word: string): PodEntry | undefined {
  const prefix = word.toLowerCase().replaceAll("-", "");
  const matches = /^[0-9a-f]{1,32}$/.test(prefix)
    ? entries.filter(({ uuid }) => uuid.startsWith(prefix))
    : [];
  const [first, second] = matches;
  if (first === undefined || second === undefined) return first;
  throw new GantryError("AmbiguousName", `${quoted(word)} fits ${matches.length} pods`, {
    hint: `say more of the UUID, such as ${first.uuid.slice(0, 12)}`,
  });
}
