/** What can be done to trust: each verb as an errand. It is done when the call returns. */
import { GantryError } from "../base/errors.ts";
import type { Call, Errand } from "../bus/objects.ts";
import type { KeyScope } from "../manager/trust-verbs.ts";
import type { Agent } from "./agent.ts";

/** Options by which a caller says what a key is for. */
export type ScopeOptions = {
  readonly prefix?: string;
  readonly root?: boolean;
  readonly named?: string;
};

export type KeyPlace = {
  readonly prefix: string;
  readonly urls: readonly string[];
  readonly options: { readonly http?: boolean };
};

export function fetchKeys(agent: Agent, { prefix, urls, options }: KeyPlace): Errand<string> {
  const place = { prefix, insecureHttp: options.http === true, ...(urls.length === 0 ? {} : { urls }) };
  return change("fetch-keys", [prefix, ...urls].join(" "), () => agent.trust.fetchKeys(place));
}

export function reviewKeys(agent: Agent, text: string): Errand<string> {
  return change("review", "", () => agent.trust.review(text));
}

export type KeyRequest = {
  readonly text: string;
  readonly fingerprints: readonly string[];
  readonly options: ScopeOptions & { readonly source?: string };
};

/** Throws Usage unless exactly one of the options says what the keys are for. */
export function trustKeys(agent: Agent, { text, fingerprints, options }: KeyRequest): Errand<string> {
  const scope = scopeOf(options);
  if (scope === undefined)
    throw new GantryError("Usage", "a key is for a prefix, for every name (root), or named by rules");
  const prefix = prefixText(scope);
  return change("add", `${prefix} ${fingerprints.join(" ")}`, () =>
    agent.trust.addKeys({ text, scope, fingerprints, ...sourceOf(options) }),
  );
}

function sourceOf({ source }: KeyRequest["options"]): { source?: string } {
  return source === undefined ? {} : { source };
}

/** Throws Usage for what is no JSON. */
export function trustRule(agent: Agent, json: string): Errand<string> {
  const rule = parseJson(json);
  return change("rule", String((rule as { scope?: unknown } | null)?.scope ?? ""), () =>
    agent.trust.addRule(rule as never),
  );
}

export function trustDigest(
  agent: Agent,
  call: Call,
  given: { name: string; digest: string },
): Errand<string> {
  return change("consent", `${given.name} ${given.digest}`, async () =>
    agent.trust.addConsent({ ...given, uid: await agent.uidOf(call.sender) }),
  );
}

export function distrust(
  agent: Agent,
  { what, options }: { readonly what: string; readonly options: ScopeOptions },
): Errand<string> {
  const scope = scopeOf(options);
  return change("remove", what, () => agent.trust.remove(what, scope === undefined ? {} : { scope }));
}

function change(verb: string, what: string, run: () => Promise<unknown>): Errand<string> {
  return { demand: { details: { verb, what } }, run: async () => JSON.stringify(await run()) };
}

function scopeOf({ prefix, root, named }: ScopeOptions): KeyScope | undefined {
  const given = [
    ...(prefix === undefined ? [] : [{ prefix }]),
    ...(root === true ? [{ root: true } as const] : []),
    ...(named === undefined ? [] : [{ named }]),
  ];
  if (given.length <= 1) return given[0];
  throw new GantryError("Usage", "prefix, root and named exclude each other");
}

function prefixText(scope: KeyScope): string {
  if ("root" in scope) return "*";
  return "prefix" in scope ? scope.prefix : scope.named;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GantryError("Usage", "the rule is not JSON", { cause });
  }
}
