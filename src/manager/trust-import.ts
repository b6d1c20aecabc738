/** What other tools of this host trust, taken over once: rkt's keystores, and the policy of containers' tools. */
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { namesIn, writeFileDurably } from "../base/file.ts";
import { readConfiguration } from "../config/files.ts";
import { REGISTRY_DIRECTORY } from "../config/registry-files.ts";
import { logEvent } from "../journal/journal.ts";
import { type Converted, convertPolicy, convertRegistries } from "../trust/containers-policy.ts";
import { addKey, KEY_LIMIT } from "../trust/keystore.ts";
import { readPolicy } from "../trust/policy.ts";
import { requireFree, writeRule } from "../trust/policy-files.ts";
import { RKT_DIRECTORIES, readRktKeys } from "../trust/rkt-keystore.ts";
import type { Rule } from "../trust/rule.ts";
import { specificity } from "../trust/scope.ts";
import type { Local } from "./local.ts";
import { requirementTexts } from "./rule-text.ts";
import { ADMINISTRATORS, trustOf } from "./trust-engine.ts";
import type { ImportedTrust, TrustOrigin } from "./trust-verbs.ts";

const CONTAINERS = "/etc/containers";
const FILE_LIMIT = 1024 * 1024;

/** See TrustVerbs.importFrom. */
export async function importTrust(local: Local, origin: TrustOrigin): Promise<ImportedTrust> {
  return origin === "rkt" ? await importRkt(local) : await importContainers(local);
}

async function importRkt(local: Local): Promise<ImportedTrust> {
  const { keys, notes } = await readRktKeys(RKT_DIRECTORIES, trustOf(local).verifier);
  const paths: string[] = [];
  for (const key of keys) {
    paths.push(await addKey(ADMINISTRATORS, key));
    await logEvent("trust-key-added", `Trusted key ${key.name}, from rkt's keystore`, {
      GANTRY_KEY: key.name,
    });
  }
  return { paths, notes };
}

async function importContainers(local: Local): Promise<ImportedTrust> {
  const file = join(CONTAINERS, "policy.json");
  const bytes = await readConfiguration(file, FILE_LIMIT);
  const converted = await convertPolicy(bytes, file, (path) => readConfiguration(path, KEY_LIMIT));
  const servers = await readLookasides();
  const paths = await writePolicy(local, converted);
  if (servers.registries.length > 0) paths.push(await writeRegistries(servers.registries));
  return { paths, notes: [...converted.notes, ...servers.notes] };
}

/**
 * Keys before the rules that name them, and of rules the most specific first: wherever this ends, no name is ruled by what the policy
 * has for others.
 */
async function writePolicy(local: Local, { policy, keys }: Converted): Promise<string[]> {
  const known = await readPolicy(trustOf(local).roots);
  for (const rule of policy.rules) requireFree(ADMINISTRATORS, known, rule);
  const paths: string[] = [];
  for (const { name, content } of keys) {
    const key = { place: { kind: "named" }, name, content: content.toString("latin1") } as const;
    paths.push(await addKey(ADMINISTRATORS, key));
  }
  for (const rule of [...policy.rules].sort(bySpecificity)) {
    paths.push(await writeRule(ADMINISTRATORS, known, rule));
    const text = `Rule for images of ${rule.scope}: ${requirementTexts(rule).join(" and ")}`;
    await logEvent("trust-rule-added", text, { GANTRY_PREFIX: rule.scope });
  }
  return paths;
}

/** Of one scope the rule that tells the transport goes first. Two images are as specific as each other, and their difference is NaN. */
function bySpecificity(a: Rule, b: Rule): number {
  return (
    specificity(b.scope) - specificity(a.scope) ||
    Number(a.transport === undefined) - Number(b.transport === undefined)
  );
}

async function readLookasides() {
  const directory = join(CONTAINERS, "registries.d");
  const registries: { prefix: string; lookaside: string[] }[] = [];
  const notes: string[] = [];
  for (const name of (await namesIn(directory)).filter((one) => one.endsWith(".yaml"))) {
    const path = join(directory, name);
    const found = convertRegistries((await readConfiguration(path, FILE_LIMIT)).toString(), path);
    registries.push(...found.lookasides);
    notes.push(...found.notes);
  }
  return { registries, notes };
}

async function writeRegistries(registries: readonly object[]): Promise<string> {
  const directory = join(ADMINISTRATORS, REGISTRY_DIRECTORY);
  const path = join(directory, `${basename(CONTAINERS)}.json`);
  await mkdir(directory, { recursive: true });
  await writeFileDurably(path, `${JSON.stringify({ version: 1, registries }, null, 2)}\n`, { mode: 0o644 });
  return path;
}
