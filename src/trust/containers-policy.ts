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
const Requirements = z.array(Requirement).min(1);
const Policy = z.strictObject({
  default: Requirements,
  transports: z.record(z.string(), z.record(z.string(), Requirements)).default({}),
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
const FILES = ["dir", "docker-archive", "oci", "oci-archive"];

/** Throws BadConfig for a policy that containers' tools would refuse, too. */
export async function convertPolicy(
  bytes: Buffer,
  path: string,
  readKey: (path: string) => Promise<Buffer>,
): Promise<Converted> {
  const policy = parsePolicy(bytes, path);
  const reading: Reading = { keys: new Map(), notes: [], readKey };
  const rules = [...(await everywhere(policy.default, reading))];
  for (const [transport, scopes] of Object.entries(policy.transports)) {
    for (const [scope, requirements] of Object.entries(scopes)) {
      const rule = await ruleOf({ transport, scope, requirements }, reading);
      if (rule !== undefined) rules.push(rule);
    }
  }
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

/** Every name, however it comes; a file's name has to be accepted in so many words. */
async function everywhere(requirements: readonly Requirement[], reading: Reading): Promise<Rule[]> {
  const rule = { scope: "*", requirements: await allOf(requirements, "default", reading) };
  return rule.requirements.some(({ kind }) => kind === "unsigned")
    ? [rule, { ...rule, transport: "file" }]
    : [rule];
}

type Place = {
  readonly transport: string;
  readonly scope: string;
  readonly requirements: readonly Requirement[];
};

async function ruleOf(
  { transport, scope, requirements }: Place,
  reading: Reading,
): Promise<Rule | undefined> {
  const where = `transports.${transport}.${scope || '""'}`;
  const isFile = FILES.includes(transport);
  const normal = normalScope(scope === "" ? "*" : scope, "registry");
  if ((!isFile && transport !== "docker") || (isFile && scope !== "") || normal === undefined) {
    reading.notes.push(`${where} is left out: images are not named so here`);
    return undefined;
  }
  return {
    scope: normal,
    transport: isFile ? "file" : "registry",
    requirements: await allOf(requirements, where, reading),
  };
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

/** Several transports of theirs are one of ours: where they differ, nothing of the kind runs. */
function distinct(rules: readonly Rule[], notes: string[]): Rule[] {
  const byNames = new Map<string, Rule>();
  for (const rule of rules) {
    const key = `${rule.transport ?? ""} ${rule.scope}`;
    const other = byNames.get(key);
    const differs = other !== undefined && JSON.stringify(other) !== JSON.stringify(rule);
    if (differs) notes.push(`images from files are rejected: the policy has different rules for their kinds`);
    byNames.set(key, differs ? { ...rule, requirements: [{ kind: "reject" }] } : rule);
  }
  return [...byNames.values()];
}
