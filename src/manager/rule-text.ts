/** What a rule asks for, in words for people. Pure. */
import type { Requirement, Rule } from "../trust/rule.ts";

/** One phrase for each of its requirements, all of which must be met. */
export function requirementTexts({ requirements }: Pick<Rule, "requirements">): string[] {
  return requirements.map(requirementText);
}

function requirementText(requirement: Requirement): string {
  switch (requirement.kind) {
    case "any":
      return requirement.of.map(requirementText).join(" or ");
    case "reject":
      return "rejected";
    case "unsigned":
      return "accepted unsigned";
    case "digests":
      return `digest ${requirement.digests.join(" or ")}`;
    default:
      return requirement.keys === undefined
        ? requirement.kind
        : `${requirement.kind} by ${requirement.keys.join(" or ")}`;
  }
}

/** The names of keys that its requirements have: of files in trustedkeys/named.d. */
export function keysNamedBy({ requirements }: Pick<Rule, "requirements">): string[] {
  const singles = requirements.flatMap((one) => (one.kind === "any" ? one.of : [one]));
  return singles.flatMap((one) => ("keys" in one ? (one.keys ?? []) : []));
}
