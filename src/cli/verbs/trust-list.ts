/** `gantry trust list`: the keys, rules and consents that count on this host. */
import { openTrust } from "../../manager/open-trust.ts";
import { requirementTexts } from "../../manager/rule-text.ts";
import type { TrustedKey, TrustList } from "../../manager/trust-verbs.ts";
import { show, table } from "../render.ts";
import { FORMAT, type Verb } from "../verb.ts";

export const verb: Verb = {
  name: "trust list",
  synopsis: "[OPTION…]",
  summary: "list trusted keys, rules and consents",
  options: [FORMAT],
  run: async (context, { options }) => {
    await using trust = await openTrust(context);
    const list = await trust.list();
    show(context, options.value("format"), { table: () => listing(list), json: () => list });
    return 0;
  },
};

function listing({ keys, rules, consents }: TrustList): string {
  const keyRows = keys.map((key) => [key.prefix ?? "-", key.name, stateOf(key), userOf(key), key.path]);
  const ruleRows = rules.map((rule) => [
    rule.scope,
    rule.transport ?? "any",
    requirementTexts(rule).join(" and "),
    rule.file,
  ]);
  const consentRows = consents.map(({ name, digest, time, uid, file }) => [
    ...[name, digest, new Date(time / 1000).toISOString().slice(0, 10), String(uid), file],
  ]);
  return [
    table(["PREFIX", "KEY", "STATE", "OF", "FILE"], keyRows),
    ...(rules.length === 0 ? [] : [table(["SCOPE", "TRANSPORT", "REQUIRES", "FILE"], ruleRows)]),
    ...(consents.length === 0 ? [] : [table(["NAME", "DIGEST", "SINCE", "USER", "FILE"], consentRows)]),
  ].join("\n");
}

function stateOf({ masked, problem, expires }: TrustedKey): string {
  if (masked) return "masked";
  if (problem !== undefined) return problem;
  return expires === undefined ? "good" : `good until ${new Date(expires / 1000).toISOString().slice(0, 10)}`;
}

function userOf({ userIds, algorithm }: TrustedKey): string {
  return userIds?.[0] ?? algorithm ?? "-";
}
