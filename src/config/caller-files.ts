/**
 * Credentials of who calls, as docker and the tools of containers/image keep them: config.json and auth.json. The key of
 * an entry is a registry or a part of one; helpers are the caller's own commands.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { Credentials } from "../inbox/protocol.ts";
import { registryName } from "./auth-files.ts";
import { askHelper } from "./credential-helper.ts";
import { badConfig, readConfiguration } from "./files.ts";
import { parseConfiguration } from "./registry-files.ts";

const FILE_LIMIT = 4 * 1024 * 1024;

const Entry = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});
type Entry = z.infer<typeof Entry>;

/** Both tools keep more in their files; what is no credential is theirs. */
const CallerFile = z.object({
  auths: z.record(z.string(), Entry).nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});
type CallerFile = z.infer<typeof CallerFile>;

/** The caller's environment; nothing is read of a process that acts for somebody else. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the caller has for a name, `registry/repository`, in the first of the files that has something. Throws BadConfig. */
export async function callerCredentials(
  environment: Environment,
  name: string,
): Promise<Credentials | undefined> {
  for (const path of callerFiles(environment)) {
    if (!(await belongsToCaller(path))) continue;
    const file = parseConfiguration(CallerFile, await readConfiguration(path, FILE_LIMIT), path);
    const found = await credentialsIn(file, { path, name, environment });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** In the order of containers/image: a file named by the caller is the only one of its format. */
export function callerFiles(environment: Environment): string[] {
  const {
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    REGISTRY_AUTH_FILE: named,
    DOCKER_CONFIG: docker,
  } = environment;
  const own = environment["XDG_CONFIG_HOME"] ?? (home === undefined ? undefined : join(home, ".config"));
  const containers = [runtime, own].map((directory) => directory && join(directory, "containers/auth.json"));
  const dockers = docker ?? (home === undefined ? undefined : join(home, ".docker"));
  const files = [...(named ? [named] : containers), dockers && join(dockers, "config.json")];
  return files.filter((path): path is string => path !== undefined && path !== "" && path.startsWith("/"));
}

/** `sudo` may keep HOME: what another user wrote there names no command for root to run. */
async function belongsToCaller(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found.uid === process.getuid?.();
}

type Search = { readonly path: string; readonly name: string; readonly environment: Environment };

async function credentialsIn(file: CallerFile, search: Search): Promise<Credentials | undefined> {
  const { path, name, environment } = search;
  const registry = name.split("/")[0] ?? "";
  const helpers = Object.entries(file.credHelpers ?? {});
  const helper = helpers.find(([key]) => registryName(key) === registry)?.[1];
  if (helper !== undefined) return await askHelper(helper, { registry, path, environment });
  const keys = Object.entries(file.auths ?? {}).map(([key, entry]) => ({ key: normalKey(key), entry }));
  const best = longestKey(keys, name);
  const found = best === undefined ? undefined : credentialsOf(best.entry, { path, key: best.key });
  if (found !== undefined) return found;
  return file.credsStore ? await askHelper(file.credsStore, { registry, path, environment }) : undefined;
}

/** The entry whose key is the longest that is the name or, in whole segments, its beginning. */
export function longestKey<T extends { readonly key: string }>(
  entries: readonly T[],
  name: string,
): T | undefined {
  const fitting = entries.filter(({ key }) => name === key || name.startsWith(`${key}/`));
  return fitting.sort((a, b) => b.key.length - a.key.length)[0];
}

/** A key with a scheme is docker's, whose path says nothing; without one it may name a part of a registry. */
export function normalKey(key: string): string {
  if (/^https?:\/\//i.test(key)) return registryName(key);
  const [host = "", ...path] = key.replace(/\/+$/, "").split("/");
  const registry = registryName(host);
  return registry === "docker.io" && path[0] === "v1" ? registry : [registry, ...path].join("/");
}

/** Undefined for an entry that only says that the credentials are in the store of `credsStore`. */
function credentialsOf(
  entry: Entry,
  at: { readonly path: string; readonly key: string },
): Credentials | undefined {
  if (entry.identitytoken) return { kind: "identity-token", token: entry.identitytoken };
  if (entry.registrytoken) return { kind: "bearer", token: entry.registrytoken };
  if (entry.auth) {
    const [, user, password] = /^([^:]+):(.*)$/s.exec(Buffer.from(entry.auth, "base64").toString()) ?? [];
    if (user === undefined || password === undefined) {
      throw badConfig(at.path, `is wrong at "auths.${at.key}.auth": it is no user and password in base64`);
    }
    return { kind: "basic", user, password: password.replace(/\0+$/, "") };
  }
  if (entry.username && entry.password) {
    return { kind: "basic", user: entry.username, password: entry.password };
  }
  return undefined;
}
