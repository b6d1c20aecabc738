/** The TypeScript half of `gantry`: finds the verb, runs it, tells failures (DESIGN section 8). */
import { exitStatus, GantryError } from "../base/errors.ts";
import { printable, quoted } from "../base/text.ts";
import { DEFAULT_PATHS } from "../config/paths.ts";
import { tellFailure } from "./failure.ts";
import {
  findOption,
  GLOBAL_OPTIONS,
  isOption,
  optionValues,
  parseWords,
  type Taken,
  takeOption,
  UnknownOption,
} from "./options.ts";
import { makeContext, type Surroundings } from "./surroundings.ts";
import type { Arguments, Context, Option, Verb } from "./verb.ts";
import { findVerb } from "./verbs.ts";

/** Verbs that end with an app's status: their own failure must be told from it (DESIGN section 7). */
const RUNNERS = ["run", "run-prepared", "exec", "enter"];
const OWN_FAILURE = 125;

type Invocation = { readonly verb: Verb; readonly words: readonly string[] };

async function main(surroundings: Surroundings): Promise<number> {
  const bare = makeContext(surroundings, DEFAULT_PATHS);
  let verb: Verb | undefined;
  try {
    const words = leadingGlobals(surroundings.words);
    const invocation = await findInvocation(words.rest);
    verb = invocation.verb;
    return await runVerb({ verb, words: [...words.globals, ...invocation.words] }, surroundings);
  } catch (error) {
    tell(bare, await hinted(error, verb));
    const status = exitStatus(error);
    return status === 1 && verb !== undefined && RUNNERS.includes(verb.name) ? OWN_FAILURE : status;
  }
}

async function hinted(error: unknown, verb: Verb | undefined): Promise<unknown> {
  if (!(error instanceof UnknownOption) || error.hint !== undefined || verb === undefined) return error;
  const { optionHint } = await import("./hints.ts");
  return new UnknownOption(error.option, error.known, optionHint(verb, error));
}

/** Global options may stand before the verb too. */
function leadingGlobals(words: readonly string[]): { globals: string[]; rest: string[] } {
  let at = 0;
  while (at < words.length && isOption(words[at] ?? "")) {
    if (["--help", "-h", "--version"].includes(words[at] ?? "")) break;
    at = takeOption(words, at, GLOBAL_OPTIONS).next;
  }
  return { globals: words.slice(0, at), rest: words.slice(at) };
}

async function findInvocation(words: readonly string[]): Promise<Invocation> {
  const [first] = words;
  if (first === undefined) throw new GantryError("Usage", "which verb?", { hint: "gantry help" });
  if (first === "--version") return await findVerb(["version", ...words.slice(1)]);
  if (first === "--help" || first === "-h") return await findVerb(["help", ...words.slice(1)]);
  return await findVerb(words);
}

async function runVerb({ verb, words }: Invocation, surroundings: Surroundings): Promise<number> {
  const { context, args, help } = readArguments(verb, words, surroundings);
  if (help) {
    const { verbHelp } = await import("./help.ts");
    context.out(verbHelp(verb));
    return 0;
  }
  if (verb.root && context.uid !== 0) {
    throw new GantryError("AccessDenied", `gantry ${verb.name} needs root`, {
      hint: `sudo gantry ${verb.name} …`,
    });
  }
  checkOperands(verb, args);
  return await verb.run(context, args);
}

type Read = { readonly context: Context; readonly args: Arguments; readonly help: boolean };

function readArguments(verb: Verb, words: readonly string[], surroundings: Surroundings): Read {
  if (verb.raw) return readRaw(verb, words, surroundings);
  const args = parseWords(words, [...GLOBAL_OPTIONS, ...verb.options]);
  const data = args.options.value("dir") ?? DEFAULT_PATHS.data;
  return {
    context: makeContext(surroundings, { ...DEFAULT_PATHS, data }),
    args,
    help: args.options.flag("help"),
  };
}

/** A verb with a grammar of its own reads the global options itself, where its grammar has options. */
function readRaw(verb: Verb, words: readonly string[], surroundings: Surroundings): Read {
  const taken = rawGlobals(words, [...GLOBAL_OPTIONS, ...verb.options]);
  const options = optionValues(taken.globals);
  const paths = { ...DEFAULT_PATHS, data: options.value("dir") ?? DEFAULT_PATHS.data };
  return {
    context: makeContext(surroundings, paths),
    args: { options, operands: taken.rest },
    help: options.flag("help"),
  };
}

/** Takes the globals out of the options in front; from the first one that is not in the table on, words are the verb's. */
function rawGlobals(
  words: readonly string[],
  table: readonly Option[],
): { globals: Taken[]; rest: string[] } {
  const globals: Taken[] = [];
  const rest: string[] = [];
  let at = 0;
  while (isOption(words[at] ?? "") && findOption(words[at] ?? "", table) !== undefined) {
    const taken = takeOption(words, at, table);
    if (GLOBAL_OPTIONS.includes(taken.option)) globals.push(taken);
    else rest.push(...words.slice(at, taken.next));
    at = taken.next;
  }
  return { globals, rest: [...rest, ...words.slice(at)] };
}

function checkOperands(verb: Verb, { operands }: Arguments): void {
  if (verb.raw) return;
  const { min, max } = verb.operands ?? { min: 0, max: 0 };
  const hint = `usage: gantry ${verb.name} ${verb.synopsis}`;
  if (operands.length > max)
    throw new GantryError("Usage", `${quoted(operands[max] ?? "")} is too much`, { hint });
  if (operands.length < min)
    throw new GantryError("Usage", `gantry ${verb.name} wants more than that`, { hint });
}

function tell(context: Context, error: unknown): void {
  if (error instanceof GantryError) {
    tellFailure(context, error);
    return;
  }
  const text = error instanceof Error ? error.message : String(error);
  context.err(`gantry: internal failure: ${printable(text)}\n`);
  if (context.environment["GANTRY_DEBUG"] !== undefined && error instanceof Error)
    context.err(`${error.stack}\n`);
}

const surroundings: Surroundings = {
  words: process.argv.slice(2),
  environment: process.env,
  uid: process.geteuid?.() ?? 0,
};

main(surroundings).then((status) => process.exit(status));
