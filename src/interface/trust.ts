/** The Manager's members about what this host trusts. */
import type { Argument, OptionRows } from "../bus/table.ts";
import { ACTIONS } from "./actions.ts";
import { query } from "./rows.ts";

const SINCE = "0.1";
const JSON_OUT = [["s", "json"]] as const;

/** A method that has changed trust when it returns, and gives JSON. */
function change<const I extends readonly Argument[], const O extends OptionRows>(
  doc: string,
  { options, ...signature }: { readonly in: I; readonly options: O },
) {
  return { doc, since: SINCE, ...signature, options, out: JSON_OUT, action: ACTIONS.trustChange };
}

export const TRUST_METHODS = {
  ListTrust: query("Trusted keys, rules and consents, in the JSON of `gantry trust list`.", {
    in: [],
    out: JSON_OUT,
  }),
  ExplainTrust: query("Why an image may run or not, in the JSON of `gantry trust explain`.", {
    in: [["s", "image"]],
    out: JSON_OUT,
  }),
  FetchKeys: change(
    "Has a fetcher bring the keys at URLs, or without any those that the pages of a prefix name. Gives keys, each a url and its text, and notes, such as which keys cannot be had; nothing is trusted by that.",
    {
      in: [
        ["s", "prefix"],
        ["as", "urls"],
      ],
      options: { http: ["b", "http will do, too."] },
    },
  ),
  ReviewKeys: change(
    "The keys that a text holds, for somebody to look at before they are trusted. Of a binary key each byte is a character.",
    { in: [["s", "text"]], options: {} },
  ),
  TrustKeys: change(
    "Trusts those keys of a text that are named by their fingerprints, for the names that one of the options tells. Gives the keys with their paths, what is refused from now on (where a name has keys, a consent counts no more), and maybe a note: what else the name may have been meant to be.",
    {
      in: [
        ["s", "text"],
        ["as", "fingerprints"],
      ],
      options: {
        prefix: ["s", "This name and those below it."],
        root: ["b", "Every name."],
        named: ["s", "Those of the rules that name the key so."],
        source: ["s", "The URL they come from, for the journal."],
      },
    },
  ),
  TrustRule: change(
    'Adds a rule, or replaces the one for its scope and transport. It is JSON, such as {"scope":"example.com","requirements":[{"kind":"openpgp"}]}. Gives its path, what it refuses from now on, and maybe a note as TrustKeys does.',
    { in: [["s", "rule"]], options: {} },
  ),
  TrustDigest: change("Consents to one image of a name. Gives the same as TrustRule.", {
    in: [
      ["s", "name"],
      ["s", "digest"],
    ],
    options: {},
  }),
  Distrust: change(
    "Removes a key, given by at least 8 digits of its fingerprint, or the rules and consents of a scope. Gives what was removed, and which images and pods are refused from now on. What runs runs on.",
    {
      in: [["s", "what"]],
      options: {
        prefix: ["s", "Only as a key for this prefix."],
        root: ["b", "Only as a key for every name."],
        named: ["s", "Only as a key that rules name so."],
      },
    },
  ),
} as const;
