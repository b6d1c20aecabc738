/** What may have been meant by a word that Gantry does not know: other tools' names for things. Loaded for a mistake only. */
import { optionSynopsis } from "./help.ts";
import type { UnknownOption } from "./options.ts";
import { optionsOf } from "./pod-options.ts";
import type { Verb } from "./verb.ts";

/** Our names for an option, the likelier first: which of them it is depends on the verb. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  "-d": ["detach"],
  "-e": ["set-env", "environment"],
  "-f": ["follow", "force"],
  "-i": ["interactive"],
  "-it": ["interactive"],
  "-m": ["memory"],
  "-n": ["lines"],
  "-o": ["output"],
  "-q": ["quiet", "format"],
  "-s": ["signal"],
  "-t": ["interactive"],
  "-ti": ["interactive"],
  "-u": ["user"],
  "-v": ["volume", "mount"],
  "-w": ["working-dir"],
  "--cap-add": ["caps-retain"],
  "--cap-drop": ["caps-remove"],
  "--cpus": ["cpu"],
  "--entrypoint": ["exec"],
  "--env": ["set-env", "environment"],
  "--env-file": ["set-env-file"],
  "--label": ["annotation"],
  "--network": ["net"],
  "--no-trunc": ["full"],
  "--pids-limit": ["pids"],
  "--pull": ["pull-policy"],
  "--read-only": ["readonly-rootfs"],
  "--tail": ["lines"],
  "--workdir": ["working-dir"],
};

type Note = { readonly beside: string; readonly text: string };

const PORTS: Note = {
  beside: "net",
  text: "a pod has no network of its own whose ports could be published: --net=host",
};

/** What there is no option for, at verbs that have the option `beside`. */
const NOTES: Readonly<Record<string, Note>> = {
  "-p": PORTS,
  "--port": PORTS,
  "--publish": PORTS,
  "--rm": { beside: "net", text: "pods that have ended are removed by gantry gc, which a timer starts" },
};

const VERBS: Readonly<Record<string, string>> = {
  attach: "logs --follow",
  build: "image build",
  create: "prepare",
  images: "image list",
  inspect: "status --format=json",
  ls: "list",
  ps: "list",
  pull: "fetch",
  rmi: "image rm",
  save: "image export",
};

/** What to write instead of an option, or where to read about all. */
export function optionHint(verb: Verb, { option, known }: UnknownOption): string {
  const all = optionsOf(verb);
  const names = Object.hasOwn(OPTIONS, option) ? (OPTIONS[option] ?? []) : [];
  // What may stand in that very place goes before what may stand elsewhere.
  const [meant] = [known, all].flatMap((table) =>
    names.flatMap((name) => table.find((one) => one.name === name) ?? []),
  );
  const note = Object.hasOwn(NOTES, option) ? NOTES[option] : undefined;
  const more = `gantry ${verb.name} --help`;
  if (meant !== undefined) return `${optionSynopsis(meant)}, see ${more}`;
  return note !== undefined && all.some(({ name }) => name === note.beside) ? note.text : more;
}

export function verbHint(word: string): string {
  const list = "gantry help lists the verbs";
  return Object.hasOwn(VERBS, word) ? `gantry ${VERBS[word]}; ${list}` : list;
}
