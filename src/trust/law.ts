/** What is asked of an image by its name: the rule that is for it, and the keys that the rule lets count. */
import type { Roots } from "../config/files.ts";
import type { RuleName } from "../image/verdict.ts";
import { type KeyFile, keysFor, namedKeys } from "./keystore.ts";
import { type Policy, ruleFor } from "./policy.ts";
import type { Requirement, Rule, SingleRequirement } from "./rule.ts";
import type { Subject } from "./subject.ts";

/** The rule that decides, and the keys it lets count. */
export type Law = {
  readonly rule: Pick<Rule, "requirements" | "transport" | "firstUse">;
  readonly name: RuleName;
  readonly keys: readonly KeyFile[];
  readonly paths: ReadonlyMap<SingleRequirement, readonly string[]>;
};

/** What the keystore alone says of a name: signed, in whatever scheme, by a key that is for it. */
const BY_KEYSTORE: Requirement = {
  kind: "any",
  of: [{ kind: "openpgp" }, { kind: "cosign" }, { kind: "sigstore-bundle" }],
};

/** What is asked of a name; undefined when no rule and no key is for it. Throws BadConfig. */
export async function lawFor(roots: Roots, policy: Policy, subject: Subject): Promise<Law | undefined> {
  const rule = ruleFor(policy, subject);
  if (rule !== undefined) {
    const name = { file: rule.file, scope: rule.scope };
    return { rule, name, ...(await collectKeys(roots, rule.requirements, { subject, file: rule.file })) };
  }
  const keys = await collectKeys(roots, [BY_KEYSTORE], { subject, file: "" });
  if (keys.keys.length === 0) return undefined;
  return { rule: { requirements: [BY_KEYSTORE] }, name: { scope: subject.name }, ...keys };
}

const SIGNED: readonly SingleRequirement["kind"][] = ["openpgp", "cosign", "sigstore-bundle"];

async function collectKeys(
  roots: Roots,
  requirements: readonly Requirement[],
  { subject, file }: { readonly subject: Subject; readonly file: string },
): Promise<Pick<Law, "keys" | "paths">> {
  const keys = new Map<string, KeyFile>();
  const paths = new Map<SingleRequirement, readonly string[]>();
  for (const one of requirements.flatMap((requirement) =>
    requirement.kind === "any" ? requirement.of : [requirement],
  )) {
    if (!("keys" in one) && !SIGNED.includes(one.kind)) continue;
    const named = "keys" in one ? one.keys : undefined;
    const files =
      named === undefined ? await keysFor(roots, subject.name) : await namedKeys(roots, named, file);
    for (const key of files) keys.set(key.path, key);
    paths.set(
      one,
      files.map(({ path }) => path),
    );
  }
  return { keys: [...keys.values()], paths };
}
