/** `gantry trust import rkt|containers` */
import { GantryError } from "../../base/errors.ts";
import { printable, quoted } from "../../base/text.ts";
import { openTrust } from "../../manager/open-trust.ts";
import { TRUST_ORIGINS } from "../../manager/trust-verbs.ts";
import { json } from "../render.ts";
import { FORMAT, type Verb } from "../verb.ts";

export const verb: Verb = {
  name: "trust import",
  synopsis: `[OPTION…] ${TRUST_ORIGINS.join("|")}`,
  summary: "take over what other tools of this host trust",
  details:
    "rkt: the keys of /etc/rkt and /usr/lib/rkt. containers: /etc/containers/policy.json as rules, with the keys it " +
    "names, and the lookaside servers of /etc/containers/registries.d. They are copied once; later changes there " +
    "change nothing here. What cannot be said in rules of Gantry becomes stricter, and is told.",
  options: [FORMAT],
  operands: { min: 1, max: 1 },
  run: async (context, { options, operands: [word = ""] }) => {
    const origin = TRUST_ORIGINS.find((one) => one === word);
    if (origin === undefined) {
      throw new GantryError("Usage", `there is nothing to import from ${quoted(word)}`, {
        hint: `it is one of ${TRUST_ORIGINS.join(", ")}`,
      });
    }
    await using trust = await openTrust(context);
    const imported = await trust.importFrom(origin);
    if (options.value("format") === "json") {
      context.out(json(imported));
      return 0;
    }
    for (const path of imported.paths) context.out(`wrote ${path}\n`);
    for (const note of imported.notes) context.err(`note: ${printable(note)}\n`);
    return 0;
  },
};
