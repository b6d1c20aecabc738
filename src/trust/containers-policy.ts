/**
 * containers-policy.json(5) and registries.d of containers' tools, as rules of ours. They are converted once, for somebody to
 * look at, and never read as a second source: what is trusted stands in one place. What can't be said in our words becomes
 * stricter, and a note.
 */
import { basename } from "node:path";
import { parse } from "yaml";
import * as z from "zod";
import { badConfig } from "../config/files.ts";
import { digestOf } from "../image/hashing.ts";
import { Identity, type PolicyFile, type Rule, type SingleRequirement } from "./rule.ts";
import { normalScope } from "./scope.ts";

const Text = z.string().min(1);
const Signed = {
  keyPath: Text.optional(),
  keyPaths: z.array(Text).min(1).optional(),
  keyData: z.base64().optional(),
  signedIdentity: z
    .union([
      z.strictObject({ type: z.literal("exactReference"), dockerReference: Text }),
      z.strictObject({ type: z.literal("exactRepository"), dockerRepository: Text }),
      Identity,
    ])
    .optional(),
};
const Requirement = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("insecureAcceptAnything") }),
  z.strictObject({ type: z.literal("reject") }),
  z.strictObject({ type: z.literal("signedBy"), keyType: z.literal("GPGKeys"), ...Signed }),
  z.looseObject({ type: z.literal("sigstoreSigned"), ...Signed, keyDatas: z.array(z.base64()).optional() }),
]);
type Requirement = z.infer<typeof Requirement>;
const RequirementList = z.array(Requirement).min(1);
const Policy = z.strictObject({
  default: RequirementList,
  transports: z.record(z.string(), z.record(z.string(), RequirementList)).default({}),
});

export type Converted = {
  readonly policy: PolicyFile;
  /** Files for named.d. */
  readonly keys: readonly { readonly name: string; readonly content: Buffer }[];
  /** What could not be said as it was meant, and what is done instead. */
  readonly notes: readonly string[];
};

type Reading = {
  readonly keys: Map<string, Buffer>;
  readonly notes: string[];
  readonly readKey: (path: string) => Promise<Buffer>;
};

/** Transports whose images come from this machine: ours has one word for them, and no scopes that are paths. */
const FILES = ["docker-archive", "oci", "oci-archive"];

/** Throws BadConfig for a policy that containers' tools would refuse, too. */
export async function convertPolicy(
  bytes: Buffer,
  path: string,
  readKey: (path: string) => Promise<Buffer>,
): Promise<Converted> {
  const policy = parsePolicy(bytes, path);
  const reading: Reading = { keys: new Map(), notes: [], readKey };
  const everywhere: Rule = { scope: "*", requirements: await allOf(policy.default, "default", reading) };
  const rules = [everywhere];
  const files: Requirements[] = [];
  for (const place of placesOf(policy)) {
    if (FILES.includes(place.transport)) files.push(await allOf(place.requirements, whereOf(place), reading));
    else rules.push(...(await rulesOf(place, reading)));
  }
  rules.push(...filesRule(everywhere, files, reading.notes));
  return {
    policy: { version: 1, rules: distinct(rules, reading.notes), consents: [] },
    keys: [...reading.keys].map(([name, content]) => ({ name, content })),
    notes: reading.notes,
  };
}

const Server = z.looseObject({ lookaside: z.string().optional(), sigstore: z.string().optional() });
const Registries = z.looseObject({
  docker: z.record(z.string(), Server).nullish(),
  "default-docker": Server.nullish(),
});

export type Lookaside = { readonly prefix: string; readonly lookaside: string[] };

/** The lookaside servers of a file of registries.d. Throws BadConfig. */
export function convertRegistries(text: string, path: string): { lookasides: Lookaside[]; notes: string[] } {
  const parsed = Registries.safeParse(parseYaml(text, path) ?? {});
  if (!parsed.success) throw badConfig(path, `is wrong at ${parsed.error.issues[0]?.path.join(".")}`);
  const notes: string[] = [];
  const fallback = urlOf(parsed.data["default-docker"] ?? {});
  if (fallback !== undefined)
    notes.push(`${path}: the lookaside for every registry, ${fallback}, is left out`);
  const lookasides = Object.entries(parsed.data.docker ?? {}).flatMap(([prefix, server]) => {
    const url = urlOf(server);
    if (url === undefined) return [];
    if (/^https?:/.test(url)) return [{ prefix, lookaside: [url] }];
    notes.push(`${path}: the lookaside of ${prefix}, ${url}, is left out: it is no server`);
    return [];
  });
  return { lookasides, notes };
}

function urlOf({ lookaside, sigstore }: z.infer<typeof Server>): string | undefined {
  return lookaside ?? sigstore;
}

/** Aliases could make a small file a huge document. */
function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0 });
  } catch (cause) {
    throw badConfig(path, "is not YAML that can be read", cause);
  }
}

function parsePolicy(bytes: Buffer, path: string): z.infer<typeof Policy> {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString());
  } catch (cause) {
    throw badConfig(path, "is not JSON", cause);
  }
  const parsed = Policy.safeParse(document);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw badConfig(path, `has a wrong "${issue?.path.join(".")}": ${issue?.message}`);
}

type Place = {
  readonly transport: string;
  readonly scope: string;
  readonly requirements: readonly Requirement[];
};

function placesOf({ transports }: z.infer<typeof Policy>): Place[] {
  return Object.entries(transports).flatMap(([transport, scopes]) =>
    Object.entries(scopes).map(([scope, requirements]) => ({ transport, scope, requirements })),
  );
}

function whereOf({ transport, scope }: Place): string {
  return `transports.${transport}.${scope || '""'}`;
}

async function rulesOf(place: Place, reading: Reading): Promise<Rule[]> {
  const scope = place.transport === "docker" ? hostedScope(place.scope) : undefined;
  if (scope === undefined) {
    reading.notes.push(`${whereOf(place)} is left out: images are not named so here`);
    return [];
  }
  const requirements = await allOf(place.requirements, whereOf(place), reading);
  return [{ scope, transport: "registry", requirements }];
}

/** Their names begin with a host, always: what does not is about no image there, and would be about one here. */
function hostedScope(scope: string): string | undefined {
  if (scope === "") return "*";
  return /^[^/]*[.:]|^localhost(\/|$)/.test(scope) ? normalScope(scope, "registry") : undefined;
}

type Requirements = Rule["requirements"];

/**
 * The rule for images from files, if the one for everything does not do: a file's name has to be accepted in so many
 * words. Kinds that the policy says nothing of are the default's, and so are ACIs.
 */
function filesRule({ requirements }: Rule, files: readonly Requirements[], notes: string[]): Rule[] {
  const rule = { scope: "*", transport: "file" } as const;
  if (files.some((others) => JSON.stringify(others) !== JSON.stringify(requirements))) {
    notes.push("images from files are rejected: the policy has different rules for their kinds or places");
    return [{ ...rule, requirements: [{ kind: "reject" }] }];
  }
  return requirements.some(({ kind }) => kind === "unsigned") ? [{ ...rule, requirements }] : [];
}

async function allOf(
  requirements: readonly Requirement[],
  where: string,
  reading: Reading,
): Promise<SingleRequirement[]> {
  const all: SingleRequirement[] = [];
  for (const requirement of requirements) all.push(await requirementOf(requirement, where, reading));
  return all;
}

async function requirementOf(one: Requirement, where: string, reading: Reading): Promise<SingleRequirement> {
  if (one.type === "insecureAcceptAnything") return { kind: "unsigned" };
  if (one.type === "reject") return { kind: "reject" };
  const keys = await keysOf(one, reading);
  if (keys.length === 0) {
    reading.notes.push(`${where} rejects: only signatures by keys can be checked here`);
    return { kind: "reject" };
  }
  const identity = identityOf(one.signedIdentity);
  if (one.type === "signedBy")
    return { kind: "openpgp", keys, ...(identity === undefined ? {} : { identity }) };
  if ("rekorPublicKeyPath" in one || "rekorPublicKeyData" in one) {
    reading.notes.push(`${where}: entries in a transparency log are not asked for`);
  }
  return { kind: "cosign", keys, identity: identity ?? { type: "matchRepoDigestOrExact" } };
}

type SignedRequirement = Extract<Requirement, { type: "signedBy" | "sigstoreSigned" }>;

/** The names that the keys have in named.d: their files' own, with some of the digest that tells them apart. */
async function keysOf(one: SignedRequirement, { keys, readKey }: Reading): Promise<string[]> {
  const names: string[] = [];
  const keep = (name: string, content: Buffer) => {
    const plain = name
      .replace(/[^A-Za-z0-9._@-]/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "")
      .slice(0, 64);
    const whole = `${plain || "key"}-${digestOf(content).slice(7, 19)}`;
    keys.set(whole, content);
    names.push(whole);
  };
  const paths = [...(one.keyPath === undefined ? [] : [one.keyPath]), ...(one.keyPaths ?? [])];
  for (const path of paths) keep(basename(path), await readKey(path));
  const data = [one.keyData, ...("keyDatas" in one ? (one.keyDatas ?? []) : [])];
  for (const text of data) if (text !== undefined) keep("key", Buffer.from(text, "base64"));
  return names;
}

function identityOf(identity: SignedRequirement["signedIdentity"]): Identity | undefined {
  if (identity === undefined) return undefined;
  if ("dockerReference" in identity) return { type: "exactReference", reference: identity.dockerReference };
  if ("dockerRepository" in identity)
    return { type: "exactRepository", repository: identity.dockerRepository };
  return identity;
}

/** Scopes that differ in writing only: where their rules differ, too, nothing of the name runs. */
function distinct(rules: readonly Rule[], notes: string[]): Rule[] {
  const byNames = new Map<string, Rule>();
  for (const rule of rules) {
    const key = `${rule.transport ?? ""} ${rule.scope}`;
    const other = byNames.get(key);
    const differs = other !== undefined && JSON.stringify(other) !== JSON.stringify(rule);
    if (differs) notes.push(`images of ${rule.scope} are rejected: the policy has different rules for them`);
    byNames.set(key, differs ? { ...rule, requirements: [{ kind: "reject" }] } : rule);
  }
  return [...byNames.values()];
}
