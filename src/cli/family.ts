/** The first word of verbs of two, such as `image`, alone: it has a help, and does nothing. */
import { GantryError } from "../base/errors.ts";
import { columns } from "./help.ts";
import type { Verb } from "./verb.ts";
import { membersHint, VERBS } from "./verbs.ts";

export async function familyVerb(first: string): Promise<Verb> {
  const loads = Object.entries(VERBS).filter(([name]) => name.startsWith(`${first} `));
  const verbs = await Promise.all(loads.map(([, load]) => load()));
  const rows = verbs.map(({ name, summary }) => [name, summary] as const);
  const failure = new GantryError("Usage", `gantry ${first} what?`, { hint: membersHint(first) });
  return {
    name: first,
    synopsis: "VERB …",
    summary: `the verbs on ${first}s`,
    details: `Verbs:\n${columns(rows).trimEnd()}`,
    options: [],
    run: () => Promise.reject(failure),
  };
}
