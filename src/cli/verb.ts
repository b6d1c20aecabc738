/** The shape of a verb: one file per verb in verbs/, listed in verbs.ts. */
import type { Paths } from "../config/paths.ts";

/** One long option. Without `value` it is a switch; `optional` lets `--wait` and `--wait=5s` both stand. */
export type Option = {
  readonly name: string;
  /** Shown in help, such as `FILE`; its presence says that the option takes a value. */
  readonly value?: string;
  readonly optional?: true;
  readonly repeat?: true;
  /** The only values allowed. */
  readonly choices?: readonly string[];
  readonly help: string;
};

/** What the command line said, by option name. */
export type OptionValues = {
  flag(name: string): boolean;
  /** The last value given; `""` for an optional value that was left out; undefined when the option is absent. */
  value(name: string): string | undefined;
  values(name: string): readonly string[];
};

export type Arguments = { readonly options: OptionValues; readonly operands: readonly string[] };

/** Everything a verb may touch besides its arguments. Nothing else reads the environment or the command line. */
export type Context = {
  readonly paths: Paths;
  readonly uid: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdinTerminal: boolean;
  readonly stdoutTerminal: boolean;
  readonly stderrTerminal: boolean;
  /** Of the terminal that is standard error, as it is now. */
  terminalSize(): { readonly columns: number; readonly rows: number };
  /** Stands by to ask for a password on the terminal, until the disposal. */
  authentication(): Promise<Disposable>;
  /** Writes to standard output, as is. */
  out(text: string): void;
  /** Writes to standard error, as is. */
  err(text: string): void;
};

/** Global options, accepted by every verb: --dir, --help. */
export type Verb = {
  /** `run`, or `image list` for a sub-verb. */
  readonly name: string;
  /** What follows `gantry NAME`, such as `[OPTION…] POD`. */
  readonly synopsis: string;
  /** One line for the list of verbs. */
  readonly summary: string;
  /** Further paragraphs of `--help`. */
  readonly details?: string;
  readonly options: readonly Option[];
  /** Number of operands allowed; both 0 by default. */
  readonly operands?: { readonly min: number; readonly max: number };
  /** The caller must be root: AccessDenied, exit 6, before anything else is done. */
  readonly root?: true;
  /** The verb has a grammar of its own: `operands` are all words as given, `options` are empty. */
  readonly raw?: true;
  /** Resolves to the exit status; a failure is thrown as a GantryError. */
  run(context: Context, args: Arguments): Promise<number>;
};

/** `--format=table|json`, shared by every listing. */
export const FORMAT: Option = {
  name: "format",
  value: "FORMAT",
  choices: ["table", "json"],
  help: "table for people (default), json for programs",
};
