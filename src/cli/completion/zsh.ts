/** The completion of zsh. */
import type { Option } from "../verb.ts";
import { type CompletedVerb, familiesOf, isBareVerb, isPath, nextWords } from "./words.ts";

export function zshCompletion(verbs: readonly CompletedVerb[]): string {
  return `#compdef gantry

_gantry_pods() {
    compadd -- \${(f)"$(gantry completion pods 2>/dev/null)"}
}

_gantry_images() {
    compadd -- \${(f)"$(gantry completion images 2>/dev/null)"}
    _files
}

_gantry_words() {
    local -a verbs
    case $1 in
${["", ...familiesOf(verbs)].map((head) => wordsCase(verbs, head)).join("")}    esac
    _describe verb verbs
}

_gantry() {
    local verb=
    while (( CURRENT > 2 )) && [[ $words[2] == -* ]]; do
        words[2]=() CURRENT=$((CURRENT - 1))
    done
    if (( CURRENT == 2 )); then
        [[ $words[2] == -* ]] && _arguments '--dir=[data directory]:directory:_files' '--help[say how it is used]' || _gantry_words
        return
    fi
    verb=$words[2]
    case $verb in
${familiesOf(verbs)
  .map((head) => familyCase(verbs, head))
  .join("")}    esac
    words[1]=() CURRENT=$((CURRENT - 1))
    case $verb in
${verbs.map(verbCase).join("")}    esac
}

# Loaded by compinit the file is the function; sourced, it only registers it.
if [[ $funcstack[1] == _gantry ]]; then
    _gantry "$@"
else
    compdef _gantry gantry
fi
`;
}

/** Of a family that is a verb by itself only the names of its members are joined to it. */
function familyCase(verbs: readonly CompletedVerb[], head: string): string {
  const bare = isBareVerb(verbs, head);
  const join = `verb+=" $words[3]" && words[2]=() CURRENT=$((CURRENT - 1))`;
  return `        ${head})
            if (( CURRENT == 3 ))${bare ? " && [[ $words[3] != -* ]]" : ""}; then
                _gantry_words $verb
                return
            fi
            ${bare ? `[[ $words[3] == (${nextWords(verbs, head).join("|")}) ]] && ` : ""}${join}
            ;;
`;
}

function wordsCase(verbs: readonly CompletedVerb[], head: string): string {
  const rows = nextWords(verbs, head).map((word) => {
    const summary = verbs.find(({ name }) => name === (head === "" ? word : `${head} ${word}`))?.summary;
    return quoted(summary === undefined ? word : `${word}:${summary}`);
  });
  return `        "${head}") verbs=(${rows.join(" ")}) ;;\n`;
}

function verbCase({ name, options, operand }: CompletedVerb): string {
  const rows = [...options.map((option) => quoted(optionRow(option))), ...operandRows(operand)];
  return `        "${name}") _arguments ${rows.join(" ")} ;;\n`;
}

function optionRow(option: Option): string {
  const repeat = option.repeat ? "*" : "";
  const help = `[${option.help.replace(/[\][]/g, "\\$&")}]`;
  if (option.value === undefined) return `${repeat}--${option.name}${help}`;
  const message = (option.value.split(/[=,[]/)[0] ?? "").toLowerCase();
  const action = isPath(option)
    ? "_files"
    : option.choices === undefined
      ? ""
      : `(${option.choices.join(" ")})`;
  const colons = option.optional ? "::" : ":";
  return `${repeat}--${option.name}=${option.optional ? "-" : ""}${help}${colons}${message}:${action}`;
}

function operandRows(operand: CompletedVerb["operand"]): string[] {
  if (operand === "none") return [];
  const action = { pod: "_gantry_pods", image: "_gantry_images", verb: "_gantry_words" }[operand];
  return [`'*:${operand}:${action}'`];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
