/** `gantry trust rm WHAT…` */
import { openTrust } from "../../manager/open-trust.ts";
import type { Removed } from "../../manager/trust-verbs.ts";
import { json } from "../render.ts";
import { affectedText } from "../trust-affected.ts";
import { givenScope, SCOPE_OPTIONS } from "../trust-keys.ts";
import { FORMAT, type Verb } from "../verb.ts";

export const verb: Verb = {
  name: "trust rm",
  synopsis: "[OPTION…] WHAT…",
  summary: "trust keys, rules or consents no more",
  details:
    "WHAT is the fingerprint of a key, however its file is called, or its beginning of at least 8 digits, or the prefix of rules and consents. A key " +
    "of the vendor's is masked by an empty file. Pods that will be refused at their next start are listed; what runs " +
    "runs on.",
  options: [...SCOPE_OPTIONS, FORMAT],
  operands: { min: 1, max: 100 },
  run: async (context, { options, operands }) => {
    const scope = givenScope(options);
    await using trust = await openTrust(context);
    const all: Removed[] = [];
    for (const what of operands) {
      const removed = await trust.remove(what, scope === undefined ? {} : { scope });
      all.push(removed);
      if (options.value("format") === "json") continue;
      for (const path of removed.removed) context.out(`removed ${path}\n`);
      context.out(affectedText(removed.affected));
    }
    if (options.value("format") === "json") context.out(json(all));
    return 0;
  },
};
