/** Every verb by name. A verb's file exports `verb` and is loaded only when the verb is used. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Verb } from "./verb.ts";

export const VERBS: Readonly<Record<string, () => Promise<Verb>>> = {
  "cat-manifest": async () => (await import("./verbs/cat-manifest.ts")).verb,
  completion: async () => (await import("./verbs/completion.ts")).verb,
  enter: async () => (await import("./verbs/enter.ts")).verb,
  exec: async () => (await import("./verbs/exec.ts")).verb,
  fetch: async () => (await import("./verbs/fetch.ts")).verb,
  gc: async () => (await import("./verbs/gc.ts")).verb,
  help: async () => (await import("./verbs/help.ts")).verb,
  "image build": async () => (await import("./verbs/image-build.ts")).verb,
  "image cat-manifest": async () => (await import("./verbs/image-cat-manifest.ts")).verb,
  "image export": async () => (await import("./verbs/image-export.ts")).verb,
  "image extract": async () => (await import("./verbs/image-extract.ts")).verb,
  "image gc": async () => (await import("./verbs/image-gc.ts")).verb,
  "image inspect": async () => (await import("./verbs/image-inspect.ts")).verb,
  "image list": async () => (await import("./verbs/image-list.ts")).verb,
  "image verify": async () => (await import("./verbs/image-verify.ts")).verb,
  "image render": async () => (await import("./verbs/image-render.ts")).verb,
  "image rm": async () => (await import("./verbs/image-rm.ts")).verb,
  install: async () => (await import("./verbs/install.ts")).verb,
  kill: async () => (await import("./verbs/kill.ts")).verb,
  list: async () => (await import("./verbs/list.ts")).verb,
  logs: async () => (await import("./verbs/logs.ts")).verb,
  prepare: async () => (await import("./verbs/prepare.ts")).verb,
  refresh: async () => (await import("./verbs/refresh.ts")).verb,
  restart: async () => (await import("./verbs/restart.ts")).verb,
  rm: async () => (await import("./verbs/rm.ts")).verb,
  run: async () => (await import("./verbs/run.ts")).verb,
  "run-prepared": async () => (await import("./verbs/run-prepared.ts")).verb,
  start: async () => (await import("./verbs/start.ts")).verb,
  status: async () => (await import("./verbs/status.ts")).verb,
  stop: async () => (await import("./verbs/stop.ts")).verb,
  trust: async () => (await import("./verbs/trust.ts")).verb,
  "trust add": async () => (await import("./verbs/trust-add.ts")).verb,
  "trust explain": async () => (await import("./verbs/trust-explain.ts")).verb,
  "trust import": async () => (await import("./verbs/trust-import.ts")).verb,
  "trust list": async () => (await import("./verbs/trust-list.ts")).verb,
  "trust rm": async () => (await import("./verbs/trust-rm.ts")).verb,
  uninstall: async () => (await import("./verbs/uninstall.ts")).verb,
  version: async () => (await import("./verbs/version.ts")).verb,
};

/** The verb that the words begin with, `image list` as two of them, and the words behind it. Throws Usage. */
export async function findVerb(
  words: readonly string[],
): Promise<{ readonly verb: Verb; readonly words: readonly string[] }> {
  const [word = "", second] = words;
  const first = unambiguous([...new Set(Object.keys(VERBS).map(firstWord))], word);
  if (first === undefined) {
    const { verbHint } = await import("./hints.ts");
    throw new GantryError("Usage", `unknown verb ${quoted(word)}`, { hint: verbHint(word) });
  }
  const members = membersOf(first);
  const name = members.length === 0 ? first : familyMember(first, members, second);
  const load = VERBS[name];
  if (load !== undefined) return { verb: await load(), words: words.slice(name.split(" ").length) };
  const { familyVerb } = await import("./family.ts");
  return { verb: await familyVerb(first), words: words.slice(1) };
}

/** Where `second` is no member of the family. */
export function unknownMember(first: string, second: string): GantryError {
  return new GantryError("Usage", `unknown verb ${quoted(`${first} ${second}`)}`, {
    hint: membersHint(first),
  });
}

export function membersHint(first: string): string {
  const members = membersOf(first).map((member) => `gantry ${first} ${member}`);
  return members.length === 0 ? "gantry help lists the verbs" : `there is: ${members.join(", ")}`;
}

/** The second words of a family, such as `image`; none of a verb of one word. */
function membersOf(first: string): string[] {
  return Object.keys(VERBS).flatMap((name) =>
    name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : [],
  );
}

function firstWord(name: string): string {
  return name.replace(/ .*/, "");
}

/**
 * The name of the member that `second` means, or the family's own. `trust` is a verb itself: what follows is one of its
 * own words unless it is a member's whole name.
 */
function familyMember(first: string, members: readonly string[], second: string | undefined): string {
  if (second === undefined || second.startsWith("-")) return first;
  if (first in VERBS) return members.includes(second) ? `${first} ${second}` : first;
  const member = unambiguous(members, second);
  if (member !== undefined) return `${first} ${member}`;
  throw unknownMember(first, second);
}

/** The name itself, or the only one that begins with `word`. Throws Usage when several do. */
function unambiguous(names: readonly string[], word: string): string | undefined {
  if (names.includes(word) || word === "") return names.find((name) => name === word);
  const matches = names.filter((name) => name.startsWith(word));
  if (matches.length <= 1) return matches[0];
  throw new GantryError("Usage", `${quoted(word)} may mean ${matches.join(", ")}`);
}
