/** `gantry trust KEY…`, as rkt has it. */
import { addKeys, KEY_OPTIONS } from "../trust-keys.ts";
import type { Verb } from "../verb.ts";

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
  run: async (context, { options, operands }) => await addKeys(context, options, operands),
};
