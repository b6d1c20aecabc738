/** The completion of fish. */
import type { Option } from "../verb.ts";
import { type CompletedVerb, familiesOf, isBareVerb, isPath, nextWords } from "./words.ts";

export function fishCompletion(verbs: readonly CompletedVerb[]): string {
  const heads = ["", ...familiesOf(verbs)];
  return `# fish completion of gantry(1)

# Whether the words so far, without options, are exactly the arguments, or (--begin) begin with them.
function __gantry_at
    set -l words (string match --invert -- '-*' (commandline -opc)[2..])
    if test "$argv[1]" = --begin
        set -l wanted $argv[2..]
        test "$words[1..$(count $wanted)]" = "$wanted"
    else
        test "$words" = "$argv"
    end
end

complete -c gantry -f
${heads.flatMap((head) => nextWords(verbs, head).map((word) => wordLine(verbs, head, word))).join("")}${verbs.flatMap((verb) => verbLines(verb, verbs)).join("")}`;
}

function wordLine(verbs: readonly CompletedVerb[], head: string, word: string): string {
  const name = head === "" ? word : `${head} ${word}`;
  const summary = verbs.find((verb) => verb.name === name)?.summary ?? "";
  return `complete -c gantry -n ${quoted(`__gantry_at ${head}`.trim())} -a ${word} -d ${quoted(summary)}\n`;
}

function verbLines({ name, options, operand }: CompletedVerb, verbs: readonly CompletedVerb[]): string[] {
  // A verb whose name begins others' must not offer its options for those.
  const begin = familiesOf(verbs).includes(name) && isBareVerb(verbs, name) ? "" : "--begin ";
  const at = `complete -c gantry -n ${quoted(`__gantry_at ${begin}${name}`)}`;
  return [...options.map((option) => `${at} ${optionWords(option)}\n`), ...operandLines(at, operand)];
}

function optionWords(option: Option): string {
  const value = option.value === undefined ? "" : option.optional ? "" : isPath(option) ? " -r -F" : " -x";
  const choices = option.choices === undefined ? "" : ` -a ${quoted(option.choices.join(" "))}`;
  return `-l ${option.name}${value}${choices} -d ${quoted(option.help)}`;
}

function operandLines(at: string, operand: CompletedVerb["operand"]): string[] {
  if (operand === "pod") return [`${at} -a '(gantry completion pods 2>/dev/null)'\n`];
  if (operand === "image") return [`${at} -F -a '(gantry completion images 2>/dev/null)'\n`];
  return [];
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
