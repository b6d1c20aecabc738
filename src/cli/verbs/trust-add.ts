/** `gantry trust add`: keys, rules and consents. */
import { GantryError } from "../../base/errors.ts";
import { quoted } from "../../base/text.ts";
import { openTrust } from "../../manager/open-trust.ts";
import type { Rule, Ruled } from "../../manager/trust-verbs.ts";
import { json } from "../render.ts";
import { affectedText } from "../trust-affected.ts";
import { addKeys, KEY_OPTIONS, keyScope, tellNote } from "../trust-keys.ts";
import type { Context, OptionValues, Verb } from "../verb.ts";

const SCHEMES = ["openpgp", "cosign", "sigstore-bundle"] as const;
const TRANSPORTS = ["appc", "registry", "file"] as const;

/** Words that make a rule of the command. */
const RULE_WORDS = ["require", "pin", "accept-unsigned", "reject"];

export const verb: Verb = {
  name: "trust add",
  synopsis: "[OPTION…] [KEY…|NAME]",
  summary: "trust keys, add a rule for the images of a name, or consent to one image",
  details:
    "With KEYs, files or https URLs, or those that the pages of the prefix name: they are trusted for the prefix. With --digest and a NAME: that very image is trusted, however it " +
    "is signed, unless a rule for its name says otherwise. With one of the words for rules: what images of the prefix must " +
    "satisfy; it takes the place of the rule for that prefix added before. A prefix covers whole segments: example.com/foo " +
    "covers example.com/foo/bar and not example.com/foobar. The most specific rule decides alone.\n\nPods that will be " +
    "refused at their next start are listed.",
  options: [
    ...KEY_OPTIONS,
    { name: "digest", value: "DIGEST", help: "consent to this image of NAME" },
    {
      name: "require",
      value: "SCHEMES",
      repeat: true,
      help: `rule: a signature of one of these, separated by commas: ${SCHEMES.join(", ")}`,
    },
    { name: "pin", value: "DIGEST", repeat: true, help: "rule: only images of these digests" },
    { name: "accept-unsigned", help: "rule: no signature is needed" },
    { name: "reject", help: "rule: no image runs" },
    {
      name: "key",
      value: "NAME",
      repeat: true,
      help: "for --require: only keys of this name in trustedkeys/named.d",
    },
    {
      name: "transport",
      value: "KIND",
      choices: TRANSPORTS,
      help: "rule: only for images that come this way",
    },
    { name: "first-use", help: "rule: a consent to a digest counts beside it" },
  ],
  operands: { min: 0, max: 100 },
  run: async (context, { options, operands }) => {
    if (options.value("digest") !== undefined) return await addConsent(context, options, operands);
    if (RULE_WORDS.some((word) => options.values(word).length > 0))
      return await addRule(context, options, operands);
    return await addKeys(context, options, operands);
  },
};

async function addConsent(
  context: Context,
  options: OptionValues,
  operands: readonly string[],
): Promise<number> {
  const [name, more] = operands;
  if (name === undefined || more !== undefined)
    throw new GantryError("Usage", "--digest wants the one NAME of an image, and nothing else");
  await using trust = await openTrust(context);
  return tell(context, options, await trust.addConsent({ name, digest: options.value("digest") ?? "" }));
}

async function addRule(
  context: Context,
  options: OptionValues,
  [operand]: readonly string[],
): Promise<number> {
  if (operand !== undefined)
    throw new GantryError("Usage", `a rule names no KEY: ${quoted(operand)} is too much`);
  const scope = keyScope(options);
  await using trust = await openTrust(context);
  const transport = TRANSPORTS.find((one) => one === options.value("transport"));
  if ("named" in scope)
    throw new GantryError("Usage", "a rule is for a prefix, or with --root for every name");
  const rule: Rule = {
    scope: "prefix" in scope ? scope.prefix : "*",
    ...(transport === undefined ? {} : { transport }),
    requirements: requirementsOf(options),
    ...(options.flag("first-use") ? { firstUse: true } : {}),
  };
  return tell(context, options, await trust.addRule(rule));
}

function tell(context: Context, options: OptionValues, ruled: Ruled): number {
  tellNote(context, ruled);
  if (options.value("format") === "json") context.out(json(ruled));
  else context.out(`wrote ${ruled.path}\n${affectedText(ruled.affected)}`);
  return 0;
}

type Requirement = Rule["requirements"][number];
type Scheme = (typeof SCHEMES)[number];

/** Each option is a requirement of its own, and all of them hold. */
function requirementsOf(options: OptionValues): Requirement[] {
  const pins = options.values("pin");
  const words: Requirement[] = [
    ...options.values("require").map((text) => signedBy(text, options.values("key"))),
    ...(pins.length > 0 ? [{ kind: "digests" as const, digests: [...pins] }] : []),
    ...(options.flag("accept-unsigned") ? [{ kind: "unsigned" as const }] : []),
    ...(options.flag("reject") ? [{ kind: "reject" as const }] : []),
  ];
  const alone = words.find(({ kind }) => kind === "unsigned" || kind === "reject");
  if (alone === undefined || words.length === 1) return words;
  throw new GantryError(
    "Usage",
    `--${alone.kind === "reject" ? "reject" : "accept-unsigned"} excludes every other requirement`,
  );
}

function signedBy(text: string, keys: readonly string[]): Requirement {
  const named = keys.length > 0 ? { keys: [...keys] } : {};
  const singles = text.split(",").map((word) => ({ kind: scheme(word), ...named }));
  const [only, ...others] = singles;
  return only !== undefined && others.length === 0 ? only : { kind: "any", of: singles };
}

function scheme(word: string): Scheme {
  const known = SCHEMES.find((one) => one === word);
  if (known !== undefined) return known;
  throw new GantryError("Usage", `--require: ${quoted(word)} is none of ${SCHEMES.join(", ")}`);
}
