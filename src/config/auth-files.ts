/** auth.d: credentials of the machine, in the two kinds of files that rkt had (gantry-registries(5)). */
import { dirname } from "node:path";
import * as z from "zod";
import { quoted } from "../base/text.ts";
import type { Credentials, ServerCredentials } from "../inbox/protocol.ts";
import { badConfig, findFiles, type Roots, readConfiguration } from "./files.ts";
import { isJson, parseConfiguration } from "./registry-files.ts";

export const AUTH_DIRECTORY = "auth.d";

const FILE_LIMIT = 1024 * 1024;

const Text = z.string().min(1);
const Pair = z.strictObject({ user: Text, password: Text });
/** What may stand in a header. */
const Visible = Text.regex(/^[!-~]+$/, "has characters other than visible ones of ASCII");
const Hosts = z.array(Text).min(1);
const VERSION = { rktVersion: z.literal("v1") };

const AuthFile = z.union([
  z.strictObject({ rktKind: z.literal("dockerAuth"), ...VERSION, registries: Hosts, credentials: Pair }),
  z.strictObject({
    rktKind: z.literal("auth"),
    ...VERSION,
    domains: Hosts,
    type: z.literal("basic"),
    credentials: Pair,
  }),
  z.strictObject({
    rktKind: z.literal("auth"),
    ...VERSION,
    domains: Hosts,
    type: z.literal("oauth"),
    credentials: z.strictObject({ token: Text }),
  }),
  z.strictObject({
    rktKind: z.literal("auth"),
    ...VERSION,
    domains: Hosts,
    type: z.literal("aws"),
    credentials: z.strictObject({
      accessKeyID: Visible,
      secretAccessKey: Text,
      /** rkt took an empty one for none. */
      awsRegion: z.union([z.literal(""), Visible]).optional(),
    }),
  }),
]);
type AuthFile = z.infer<typeof AuthFile>;

/** Discriminates, so that a wrong key is told of the kind that the file says it is. */
const Kind = z.looseObject({
  rktKind: z.enum(["auth", "dockerAuth"]),
  rktVersion: z.literal("v1"),
  type: z.string().optional(),
});

type At = { readonly host: string; readonly file: string };
type OfRegistry = At & { readonly kind: "dockerAuth"; readonly credentials: Credentials };
type OfServer = At & { readonly kind: "auth"; readonly credentials: ServerCredentials };
type Placed = OfRegistry | OfServer;

export type AuthFiles = {
  /** What is configured for a registry; docker.io has many names. */
  registry(host: string): Credentials | undefined;
  /** What is configured for a web server, and where. */
  server(host: string): Pick<OfServer, "credentials" | "file"> | undefined;
  /** Every web server that something is configured for. */
  servers(): readonly string[];
};

/** All credentials of the machine; a host of a directory that goes first hides it in the others. Throws BadConfig. */
export async function readAuthFiles(roots: Roots): Promise<AuthFiles> {
  const placed: Placed[] = [];
  for (const { path, masked } of await findFiles(roots, AUTH_DIRECTORY, isJson)) {
    if (masked) continue;
    for (const one of entriesOf(parseAuthFile(await readConfiguration(path, FILE_LIMIT), path), path)) {
      refuseDouble(placed, one);
      placed.push(one);
    }
  }
  const order = ({ file }: Placed) => roots.indexOf(dirname(dirname(file)));
  placed.sort((a, b) => order(a) - order(b));
  const registries = placed.filter((one) => one.kind === "dockerAuth");
  const servers = placed.filter((one) => one.kind === "auth");
  return {
    registry: (host) => registries.find((one) => one.host === registryName(host))?.credentials,
    server: (host) => servers.find((one) => one.host === registryName(host)),
    servers: () => servers.map(({ host }) => host),
  };
}

function parseAuthFile(bytes: Buffer, path: string): AuthFile {
  const { rktKind, type } = parseConfiguration(Kind, bytes, path);
  const wanted = AuthFile.options.find(
    ({ shape }) =>
      shape.rktKind.value === rktKind &&
      (!("type" in shape) || type === undefined || shape.type.value === type),
  );
  if (wanted === undefined) throw badConfig(path, `is wrong at "type": it is none of basic, oauth, aws`);
  return parseConfiguration<AuthFile>(wanted, bytes, path);
}

function entriesOf(file: AuthFile, path: string): Placed[] {
  if (file.rktKind === "dockerAuth") {
    const credentials = { kind: "basic", ...file.credentials } as const;
    return file.registries.map((host) => ({
      kind: file.rktKind,
      host: registryName(host),
      credentials,
      file: path,
    }));
  }
  const credentials = serverCredentials(file);
  return file.domains.map((host) => ({
    kind: file.rktKind,
    host: registryName(host),
    credentials,
    file: path,
  }));
}

function serverCredentials(file: Extract<AuthFile, { rktKind: "auth" }>): ServerCredentials {
  switch (file.type) {
    case "basic":
      return { kind: "basic", ...file.credentials };
    case "oauth":
      return { kind: "bearer", ...file.credentials };
    case "aws": {
      const { accessKeyID, secretAccessKey, awsRegion = "" } = file.credentials;
      const region = awsRegion === "" ? {} : { region: awsRegion };
      return { kind: "aws", accessKeyId: accessKeyID, secretAccessKey, ...region };
    }
  }
}

function refuseDouble(placed: readonly Placed[], { kind, host, file }: Placed): void {
  const same = placed.find(
    (one) => one.kind === kind && one.host === host && dirname(one.file) === dirname(file),
  );
  if (same === undefined) return;
  throw badConfig(file, `has credentials for ${quoted(host)}, which ${quoted(same.file)} has, too`);
}

const HUB = /^(registry-1\.|index\.|registry\.)?docker\.io$/;

/** A registry as names call it: without scheme and path, and Docker Hub by its one name. */
export function registryName(text: string): string {
  const host = text.replace(/^https?:\/\//i, "").replace(/\/.*$/s, "");
  return HUB.test(host) ? "docker.io" : host;
}
