/** `gantry trust explain IMAGE`: why an image may run or not, with every step on the way there. */
import { printable } from "../../base/text.ts";
import { openTrust } from "../../manager/open-trust.ts";
import type { Explanation } from "../../manager/trust-verbs.ts";
import { show, timestamp } from "../render.ts";
import { FORMAT, type Verb } from "../verb.ts";

export const verb: Verb = {
  name: "trust explain",
  synopsis: "[OPTION…] IMAGE",
  summary: "explain why an image may run, or not",
  details: "The status is 0 also for an image that may not.",
  options: [{ ...FORMAT, help: "text for people (default), json for programs" }],
  operands: { min: 1, max: 1 },
  run: async (context, { options, operands: [image = ""] }) => {
    await using trust = await openTrust(context);
    const explanation = await trust.explain(image);
    show(context, options.value("format"), { table: () => text(explanation), json: () => explanation });
    return 0;
  },
};

function text(explanation: Explanation): string {
  const { id, digest, names, recorded, now } = explanation;
  return [
    `image: ${id}`,
    `digest: ${digest}`,
    ...names.map((name) => `name: ${name}`),
    ...subjectLines(explanation),
    `judged at import: ${recorded.kind}, ${recorded.reason} (${timestamp(recorded.time)}, user ${recorded.uid})`,
    ...ruleLines(explanation),
    ...keyLines(explanation),
    ...signatureLines(explanation),
    ...explanation.dependencies.map(
      ({ id: part, trusted, reason }) =>
        `contains: ${part}: ${trusted ? "trusted" : "not trusted"}, ${reason}`,
    ),
    ...explanation.pods.map((pod) => `used by pod: ${pod}`),
    `verdict now: ${now.trusted ? `trusted (${now.kind})` : "not trusted"}: ${now.reason}`,
  ]
    .map((line) => `${printable(line)}\n`)
    .join("");
}

function subjectLines({ subject }: Explanation): string[] {
  if (subject === undefined) return [];
  return [`asked for as: ${subject.reference} (${subject.transport})`, `name in rules: ${subject.name}`];
}

function ruleLines({ rules }: Explanation): string[] {
  if (rules.length === 0) return ["rules: none; the keystore's keys decide"];
  return [
    "rules:",
    ...rules.map(({ scope, transport, requirements, file, standing }) => {
      const way = transport === undefined ? "" : ` (${transport})`;
      return `  ${scope}${way}: ${requirements.join(" and ")}; ${standing}; ${file}`;
    }),
  ];
}

function keyLines({ keys }: Explanation): string[] {
  if (keys.length === 0) return ["keys for the name: none"];
  return [
    "keys for the name:",
    ...keys.map(({ fingerprint, userIds, state, prefix, path }) => {
      const whose = userIds[0] === undefined ? "" : ` ${userIds[0]}`;
      const names = prefix === undefined ? "named by rules" : prefix === "*" ? "every name" : prefix;
      return `  ${fingerprint}${whose}: ${state}; for ${names}; ${path}`;
    }),
  ];
}

function signatureLines({ signatures }: Explanation): string[] {
  if (signatures.length === 0) return ["signatures kept: none"];
  return [
    "signatures kept:",
    ...signatures.map(({ kind, digest, about, signers, problems }) => {
      const by = signers.map(({ fingerprint, userIds }) => [fingerprint, ...userIds.slice(0, 1)].join(" "));
      const said = [...(by.length === 0 ? ["by no trusted key"] : [`by ${by.join(", ")}`]), ...problems];
      const over = about === undefined ? "" : ` for ${about}`;
      return `  ${kind} ${digest}${over}: ${said.join("; ")}`;
    }),
  ];
}
