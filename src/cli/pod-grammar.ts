/**
 * rkt's grammar of pods: `[pod options] IMAGE [app options] [-- args… [---]] IMAGE …`. What stands before the first image is the
 * pod's, what follows an image is that app's.
 */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import {
  findOption,
  isOption,
  optionName,
  optionValues,
  type Taken,
  takeOption,
  UnknownOption,
} from "./options.ts";
import type { Option, OptionValues } from "./verb.ts";

export type AppWords = {
  readonly image: string;
  readonly options: OptionValues;
  /** Undefined when there was no `--`. */
  readonly args: readonly string[] | undefined;
};

export type PodWords = { readonly options: OptionValues; readonly apps: readonly AppWords[] };

export type Tables = { readonly pod: readonly Option[]; readonly app: readonly Option[] };

type Draft = { image: string; taken: Taken[]; args?: string[] };

/** Splits the words. Throws Usage. */
export function parsePodWords(words: readonly string[], tables: Tables): PodWords {
  const pod: Taken[] = [];
  const apps: Draft[] = [];
  for (let at = 0; at < words.length; ) {
    const word = words[at] ?? "";
    const app = apps.at(-1);
    if (word === "--") at = takeArguments(words, at + 1, app);
    else if (word === "---") at += 1;
    else if (isOption(word)) at = takeInPlace(words, at, { apps, pod, tables });
    else {
      apps.push({ image: word, taken: [] });
      at += 1;
    }
  }
  return { options: optionValues(pod), apps: apps.map(toAppWords) };
}

/** What to tell who wrote an app's arguments without the mark: apps[at] was taken for an image. */
export function argumentsHint(
  apps: readonly { readonly image: string; readonly args?: readonly string[] | undefined }[],
  at: number,
): string | undefined {
  const [app, word] = [apps[at - 1], apps[at]];
  if (app === undefined || word === undefined || app.args !== undefined) return undefined;
  return `arguments of an app go behind --: ${app.image} -- ${word.image} …`;
}

function toAppWords({ image, taken, args }: Draft): AppWords {
  return { image, options: optionValues(taken), args };
}

/** Everything up to a lone `---` belongs to the last image. Returns where the words go on. */
function takeArguments(words: readonly string[], from: number, app: Draft | undefined): number {
  if (app === undefined) throw new GantryError("Usage", "an image is required before any app arguments");
  if (app.args !== undefined)
    throw new GantryError("Usage", "only one set of app arguments allowed per image");
  const end = words.indexOf("---", from);
  app.args = words.slice(from, end === -1 ? words.length : end);
  return end === -1 ? words.length : end + 1;
}

type Place = { readonly apps: readonly Draft[]; readonly pod: Taken[]; readonly tables: Tables };

function takeInPlace(words: readonly string[], at: number, { apps, pod, tables }: Place): number {
  const app = apps.at(-1);
  const own = app === undefined ? tables.pod : tables.app;
  const other = app === undefined ? tables.app : tables.pod;
  const word = words[at] ?? "";
  if (findOption(word, own) === undefined) throw misplaced(word, { apps, own, other });
  const taken = takeOption(words, at, own);
  const list = app === undefined ? pod : app.taken;
  refuseSecond(list, taken, app);
  list.push(taken);
  return taken.next;
}

type Misplaced = {
  readonly apps: readonly Draft[];
  readonly own: readonly Option[];
  readonly other: readonly Option[];
};

function misplaced(word: string, { apps, own, other }: Misplaced): GantryError {
  const name = optionName(word);
  const image = apps.at(-1)?.image;
  if (findOption(word, other) === undefined) {
    // One dash: no option of ours, but maybe a program's.
    const hint = word.startsWith("--") ? undefined : argumentsHint(apps, 1);
    return new UnknownOption(word.replace(/=.*$/s, ""), own, hint);
  }
  return new GantryError(
    "Usage",
    image === undefined
      ? `--${name} must follow an image`
      : `--${name} is the pod's and must stand before the first image, not after ${quoted(image)}`,
  );
}

/** Where the last one would win silently, two words of the user's contradict each other. */
function refuseSecond(list: readonly Taken[], { option }: Taken, app: Draft | undefined): void {
  if (option.repeat || option.value === undefined || !list.some((other) => other.option === option)) return;
  const where = app === undefined ? "for the pod" : "for the same image";
  throw new GantryError("Usage", `--${option.name} specified multiple times ${where}`);
}
