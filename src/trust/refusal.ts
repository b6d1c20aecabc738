/** Refusals by the trust policy: what is wrong, and the exact command that would allow it. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { RuleName } from "../image/verdict.ts";
import type { Subject } from "./subject.ts";

type Refused = {
  readonly subject: Subject;
  /** The command that takes the image without a check. */
  readonly unchecked: string;
  /** Undefined: nothing is said about this name. */
  readonly rule: RuleName | undefined;
  readonly problems: readonly string[];
};

const SHOWN = 3;

export function refusal({ subject, unchecked, rule, problems }: Refused): GantryError {
  if (rule === undefined) return unknownName(subject, unchecked);
  const shown = problems.slice(0, SHOWN).join("; ");
  const more = problems.length > SHOWN ? `; and ${problems.length - SHOWN} more reasons` : "";
  const message = `image ${quoted(subject.reference)} is not trusted: ${shown}${more}`;
  return new GantryError("NotTrusted", message, {
    hint: `decided by ${ruleText(rule)}; ${acceptHint(unchecked)}`,
  });
}

/** A rule as people know it. */
export function ruleText({ file, scope }: RuleName): string {
  return file === undefined
    ? `the keystore's keys for ${quoted(scope)}`
    : `the rule for ${quoted(scope)} in ${quoted(file)}`;
}

function unknownName(subject: Subject, unchecked: string): GantryError {
  const message = `image ${quoted(subject.reference)} is not trusted: no rule and no key is for ${quoted(subject.name)}`;
  const hint = [
    `to trust its signer: gantry trust add --prefix=${shellWord(subject.name)} KEYFILE`,
    `to trust this one image: gantry trust add --digest=${subject.digest} ${shellWord(subject.name)}`,
    acceptHint(unchecked),
  ];
  return new GantryError("NotTrusted", message, { hint: hint.join("; ") });
}

export function acceptHint(unchecked: string): string {
  return `to accept it without a check: ${unchecked}`;
}

/** The commands that take an image without a check: one to be fetched, one that is stored, and those of an installed pod. */
export function uncheckedBy(verb: "fetch" | "run" | "install", operand: string): string {
  return `gantry ${verb} --insecure-options=image ${shellWord(operand)}`;
}

/** `text` as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9@%+=:,./_-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
