/** `gantry trust KEY…`, as rkt has it. */
import { existsSync } from "node:fs";
import { addKeys, KEY_OPTIONS } from "../trust-keys.ts";
import type { Verb } from "../verb.ts";
import { unknownMember } from "../verbs.ts";

export const verb: Verb = {
  name: "trust",
  synopsis: "[OPTION…] [KEY…]",
  summary: "trust keys for the images of a name",
  details:
    "The same as gantry trust add with keys. KEY is a file or an https URL of OpenPGP keys, armoured or not, or of a " +
    "public key in PEM; without one, the keys are those that the pages of the prefix name (ac-discovery-pubkeys). " +
    "Rules, removal and explanations: gantry trust add, list, rm, explain.",
  options: KEY_OPTIONS,
  operands: { min: 0, max: 100 },
  run: async (context, { options, operands }) => {
    const [first] = operands;
    if (first !== undefined && looksLikeVerb(first)) throw unknownMember("trust", first);
    return await addKeys(context, options, operands);
  },
};

/** A bare word that is no file is rather a misspelled verb than a key. */
function looksLikeVerb(word: string): boolean {
  return /^[a-z]+$/.test(word) && !existsSync(word);
}
