/** The completion of bash. Needs nothing of bash-completion but its habit of loading this file. */
import { GLOBAL_OPTIONS } from "../options.ts";
import type { Option } from "../verb.ts";
import { type CompletedVerb, familiesOf, isBareVerb, isPath, nextWords } from "./words.ts";

export function bashCompletion(verbs: readonly CompletedVerb[]): string {
  const families = familiesOf(verbs);
  return `# bash completion of gantry(1)
_gantry() {
    local line=\${COMP_LINE:0:COMP_POINT} words word verb= options= operand= choices= names= name i
    # Not COMP_WORDS: readline splits them at "=" and ":".
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word=\${words[-1]}
    for ((i = 1; i < \${#words[@]} - 1; i++)); do
        [[ \${words[i]} == -* ]] && continue
        verb=\${verb:+$verb }\${words[i]}
        case $verb in ${families.join("|")}) ;; *) break ;; esac
    done
    case $verb in
        "") choices="${nextWords(verbs).join(" ")}" options="--dir= --help" ;;
${families.map((head) => familyCase(verbs, head)).join("")}${verbs.map(verbCase).join("")}    esac
    if [[ $word == --*=* ]]; then
        case "$verb \${word%%=*}" in
${verbs.flatMap((verb) => verb.options.flatMap((option) => valueCase(verb, option))).join("")}            *" --dir") choices=/FILES ;;
            *) choices= ;;
        esac
        word=\${word#*=}
    elif [[ $word == -* ]]; then
        choices=$options
    else
        case $operand in
            verb) choices="${nextWords(verbs).join(" ")}" ;;
            pod) names=$(gantry completion pods 2>/dev/null) ;;
            image) names=$(gantry completion images 2>/dev/null; compgen -f -- "$word") ;;
        esac
    fi
    if [[ $choices == /FILES ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
    fi
    # -W expands its words as a command line does, so names don't go there; and on the command line they are quoted,
    # which a backslash at the end of what was typed would undo.
    while IFS= read -r name; do
        [[ -n $name && $name == "$word"* && $word != *\\\\ ]] || continue
        name=\${name#"$word"}
        COMPREPLY+=("$word\${name:+$(printf %q "$name")}")
    done <<<"$names"
    [[ \${COMPREPLY[0]-} == *= ]] && compopt -o nospace
    # readline replaces only what follows the last of its word breaks.
    local head=\${word%"\${word##*[:=]}"}
    COMPREPLY=("\${COMPREPLY[@]#"$head"}")
}
complete -F _gantry gantry
`;
}

function familyCase(verbs: readonly CompletedVerb[], head: string): string {
  // What matches first is all that is done: a family that is a verb, too, goes on with its own case.
  const end = isBareVerb(verbs, head) ? ";;&" : ";;";
  return `        ${head}) choices="${nextWords(verbs, head).join(" ")}" ${end}\n`;
}

function verbCase({ name, options, operand }: CompletedVerb): string {
  const words = options.map(({ name, value }) => (value === undefined ? `--${name}` : `--${name}=`));
  return `        "${name}") options="${words.join(" ")}" operand=${operand} ;;\n`;
}

function valueCase({ name }: CompletedVerb, option: Option): string[] {
  if (GLOBAL_OPTIONS.includes(option)) return [];
  const choices = isPath(option) ? "/FILES" : option.choices?.join(" ");
  return choices === undefined ? [] : [`            "${name} --${option.name}") choices="${choices}" ;;\n`];
}
