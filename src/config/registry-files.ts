/**
 * registries.d: which servers a registry's images come from, and how they are spoken to (gantry-registries(5)). The
 * trust policy knows nothing of it: whichever server sends an image, it is judged by the name that was asked for.
 */
import * as z from "zod";
import { quoted } from "../base/text.ts";
import { badConfig, findFiles, type Roots, readConfiguration } from "./files.ts";
import { LimitsEntry } from "./time-limits.ts";

export const REGISTRY_DIRECTORY = "registries.d";

const FILE_LIMIT = 1024 * 1024;

const HttpUrl = z.url({ protocol: /^https?$/, error: "is no http or https URL" });
const Insecure = z.array(z.enum(["tls", "http"])).default([]);
const Certificates = z.string().startsWith("/", { error: "is no absolute path" });

export const MirrorEntry = z.strictObject({
  url: HttpUrl,
  capabilities: z
    .array(z.enum(["pull", "resolve"]))
    .min(1)
    .default(["pull"]),
  ca: Certificates.optional(),
  insecure: Insecure,
  credentials: z
    .union([
      z.strictObject({ user: z.string(), password: z.string() }),
      z.strictObject({ token: z.string() }),
    ])
    .optional(),
});
export type MirrorEntry = z.infer<typeof MirrorEntry>;

/** `host[:port][/path]`, in whole segments. */
const Prefix = z
  .string()
  .regex(/^[a-zA-Z0-9.-]+(:[0-9]{1,5})?(\/[a-z0-9._-]+)*$/, { error: "is no registry or part of one" });

export const RegistryEntry = z.strictObject({
  prefix: Prefix,
  url: HttpUrl.optional(),
  mirrors: z.array(MirrorEntry).max(32).default([]),
  fallback: z.enum(["always", "never"]).default("always"),
  ca: Certificates.optional(),
  insecure: Insecure,
  lookaside: z.array(HttpUrl).max(8).default([]),
  limits: LimitsEntry.optional(),
});
export type RegistryEntry = z.infer<typeof RegistryEntry>;

export const RegistryFile = z.strictObject({
  version: z.literal(1),
  registries: z.array(RegistryEntry).max(1000).default([]),
  limits: LimitsEntry.optional(),
});

/** An entry with the file it stands in. */
export type PlacedEntry = RegistryEntry & { readonly file: string };

export type Registries = {
  readonly entries: readonly PlacedEntry[];
  /** Of every transfer, unless an entry says otherwise. */
  readonly limits: LimitsEntry | undefined;
};

/** All files together. Throws BadConfig, naming file and key. */
export async function readRegistries(roots: Roots): Promise<Registries> {
  const entries: PlacedEntry[] = [];
  let general: { readonly limits: LimitsEntry; readonly file: string } | undefined;
  for (const { path, masked } of await findFiles(roots, REGISTRY_DIRECTORY, isJson)) {
    if (masked) continue;
    const file = parseConfiguration(RegistryFile, await readConfiguration(path, FILE_LIMIT), path);
    const { registries, limits } = file;
    if (limits !== undefined && general !== undefined)
      throw badConfig(path, `has limits, which ${quoted(general.file)} has, too`);
    if (limits !== undefined) general = { limits, file: path };
    for (const entry of registries) {
      const double = entries.find(({ prefix }) => prefix === entry.prefix);
      if (double !== undefined) {
        throw badConfig(
          path,
          `has the prefix ${quoted(entry.prefix)}, which ${quoted(double.file)} has, too`,
        );
      }
      entries.push({ ...entry, file: path });
    }
  }
  return { entries, limits: general?.limits };
}

/** The entry of the longest prefix of a name, `registry/repository`, and what of the name is behind it. */
export function entryFor(
  entries: readonly PlacedEntry[],
  name: string,
): { readonly entry: PlacedEntry; readonly rest: string } | undefined {
  const fitting = entries.filter(({ prefix }) => name === prefix || name.startsWith(`${prefix}/`));
  const [entry] = fitting.sort((a, b) => b.prefix.length - a.prefix.length);
  return entry === undefined ? undefined : { entry, rest: name.slice(entry.prefix.length + 1) };
}

/** A file of certificates in PEM, looked at before anybody relies on it. Throws BadConfig. */
export async function readCertificates(path: string): Promise<string> {
  const text = (await readConfiguration(path, FILE_LIMIT)).toString("latin1");
  // What it needs takes longer to load than everything else here, and most files name no certificates.
  const { checkCertificates } = await import("./certificates.ts");
  checkCertificates(text, path);
  return text;
}

export function isJson(name: string): boolean {
  return name.endsWith(".json");
}

/** `bytes` as the schema says. Throws BadConfig with the file and the first wrong key. */
export function parseConfiguration<T>(schema: z.ZodType<T>, bytes: Buffer, path: string): T {
  const result = schema.safeParse(parseJsonText(bytes, path));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  // A value isn't repeated: it may be a password.
  const key = issue === undefined || issue.path.length === 0 ? "" : ` at ${quoted(issue.path.join("."))}`;
  throw badConfig(path, `is wrong${key}: ${issue?.message ?? "invalid"}`);
}

function parseJsonText(bytes: Buffer, path: string): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    // Node's sentence repeats a piece of the text, which may be a password.
    throw badConfig(path, "is not JSON");
  }
}
