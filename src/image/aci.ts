/** The image manifest of an ACI (appc 0.8.11, sections 2 and 3) and the app it means. */
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { isPrintable, quoted } from "../base/text.ts";
import { isIdentifier, isName } from "./app-name.ts";
import { convertedApp } from "./converted.ts";
import type { Platform } from "./oci.ts";
import { checked } from "./oci.ts";
import type { ImageApp } from "./record.ts";

const NOTIFIES = "appc.io/executor/supports-systemd-notify";
// SemVer 2.0.0, as acVersion must be.
const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;
const VARIABLE = /^[A-Za-z_][A-Za-z_0-9.-]*$/;

const required = (key: string, verb = "must be set") =>
  z.string({ error: `${key} ${verb}` }).min(1, `${key} ${verb}`);
const Identifier = z
  .string()
  .refine(isIdentifier, { error: ({ input }) => `${quoted(String(input))} is no identifier` });
const Name = z.string().refine(isName, { error: ({ input }) => `${quoted(String(input))} is no name` });
const Path = z.string().startsWith("/", "must be an absolute path");
const list = <T extends z.ZodType>(item: T) => z.array(item).nullish();

/** Isolators nest twice. What is kept is written as JSON again, which no stack is deep enough for everything of. */
const DEEPEST = 32;

function isFlat(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((part) => isFlat(part, depth - 1));
}

const Port = z
  .object({
    name: Name,
    protocol: z.string(),
    port: z.int().min(1).max(65535),
    count: z.int().min(1).default(1),
    socketActivated: z.boolean().default(false),
  })
  .refine(({ port, count }) => port + count - 1 <= 65535, "a port range ends above 65535");

const App = z.object({
  exec: list(z.string()),
  user: required("user", "is required"),
  group: required("group", "is required"),
  supplementaryGIDs: list(z.int().nonnegative()),
  supplementaryGids: list(z.int().nonnegative()),
  eventHandlers: list(z.object({ name: z.enum(["pre-start", "post-stop"]), exec: z.array(z.string()) })),
  workingDirectory: z
    .string()
    .refine((path) => path === "" || path.startsWith("/"), "workingDirectory must be an absolute path")
    .nullish(),
  environment: list(
    z.object({
      name: z
        .string()
        .regex(VARIABLE, { error: ({ input }) => `${quoted(String(input))} is no variable name` }),
      value: z.string(),
    }),
  ),
  isolators: list(
    z.object({
      name: Identifier,
      value: z.unknown().refine((value) => isFlat(value, DEEPEST), `nests deeper than ${DEEPEST}`),
    }),
  ),
  mountPoints: list(z.object({ name: Name, path: Path, readOnly: z.boolean().default(false) })),
  ports: list(Port),
});
type App = z.infer<typeof App>;

/** Names of images are made of them. */
const LabelValue = z
  .string()
  .refine(isPrintable, { error: ({ input }) => `${quoted(String(input))} cannot be printed` });
const Label = z.object({ name: Identifier, value: LabelValue });

/** Only sha512 is permitted; each way of being wrong has its own words. */
const ImageId = z.string().superRefine((id, context) => {
  const fault = imageIdFault(id);
  if (fault !== undefined) context.addIssue({ code: "custom", message: `${quoted(id)}: ${fault}` });
});

function imageIdFault(id: string): string | undefined {
  const [type = "", hex, ...more] = id.split("-");
  if (hex === undefined || more.length > 0) return "badly formatted hash string";
  if (type === "") return "empty hash type";
  if (type !== "sha512") return "unrecognized hash type, sha512 is the only one";
  if (hex === "") return "empty hash value";
  return /^[0-9a-f]{128}$/.test(hex) ? undefined : "a sha512 has 128 lowercase hexadecimal digits";
}

const Dependency = z.object({
  imageName: Identifier,
  imageID: ImageId.nullish(),
  labels: list(Label),
  /** Of the archive as it is served. */
  size: z.int().nonnegative().nullish(),
});
export type Dependency = z.infer<typeof Dependency>;

/** More than this is no image anybody made: each of them may cost a download. */
const MOST_DEPENDENCIES = 64;
const MOST_KEPT_PATHS = 100_000;

const ImageManifest = z.object({
  acKind: z.literal("ImageManifest", { error: 'acKind must be "ImageManifest"' }),
  acVersion: required("acVersion").regex(VERSION, "acVersion must be a semantic version"),
  name: required("name").refine(isIdentifier, {
    error: ({ input }) => `${quoted(String(input))} is no image name`,
  }),
  labels: list(Label),
  app: App.nullish(),
  dependencies: list(Dependency),
  pathWhitelist: list(Path),
  annotations: list(z.object({ name: Identifier, value: z.string() })),
});
export type ImageManifest = z.infer<typeof ImageManifest>;

/** appc's architecture names that differ from Go's, which records use. */
export const APPC_ARCHITECTURES: Readonly<Record<string, Omit<Platform, "os">>> = {
  i386: { architecture: "386" },
  aarch64: { architecture: "arm64" },
  armv6l: { architecture: "arm", variant: "v6" },
  armv7l: { architecture: "arm", variant: "v7" },
};

/** Parses an image manifest. Throws BadImage in appc's words, Unsupported for what this version can't run. */
export function parseImageManifest(text: string, what: string): ImageManifest {
  const manifest = checked(ImageManifest, manifestJson(text, what), `image manifest of ${what}`);
  const fault = faultOf(manifest);
  if (fault !== undefined)
    throw new GantryError("BadImage", `image manifest validation failed: ${what}: ${fault}`);
  refuseUnsupported(manifest, what);
  return manifest;
}

/** A syntax error is told with its place, as people write these manifests by hand. */
function manifestJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof SyntaxError ? `${cause.message}${placeOf(cause, text)}` : String(cause);
    throw new GantryError("BadImage", `image manifest of ${what} is not valid JSON: ${why}`, { cause });
  }
}

/** V8 tells either a position or, where it has none, the text around the fault. */
function placeOf(error: SyntaxError, text: string): string {
  const at = /position (\d+)/.exec(error.message)?.[1];
  if (at === undefined) return "";
  const before = text.slice(0, Number(at)).split("\n");
  const line = text.split("\n")[before.length - 1] ?? "";
  return ` (line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${quoted(line, 80)})`;
}

function faultOf(manifest: ImageManifest): string | undefined {
  const { acVersion, labels, annotations, app } = manifest;
  if (!acVersion.startsWith("0.")) return `acVersion ${acVersion} is of another major version than 0.8.11`;
  const repeatedLabel = repeated((labels ?? []).map(({ name }) => name));
  if (repeatedLabel !== undefined) return `duplicate label ${quoted(repeatedLabel)}`;
  if ((labels ?? []).some(({ name }) => name === "name")) return 'invalid label name: "name"';
  const repeatedAnnotation = repeated((annotations ?? []).map(({ name }) => name));
  if (repeatedAnnotation !== undefined) return `duplicate annotation ${quoted(repeatedAnnotation)}`;
  const fault = dependenciesFault(manifest);
  return fault !== undefined || app === null || app === undefined ? fault : appFault(app);
}

function dependenciesFault({ dependencies, pathWhitelist }: ImageManifest): string | undefined {
  if ((dependencies ?? []).length > MOST_DEPENDENCIES) return `more than ${MOST_DEPENDENCIES} dependencies`;
  if ((pathWhitelist ?? []).length > MOST_KEPT_PATHS)
    return `more than ${MOST_KEPT_PATHS} paths in pathWhitelist`;
  for (const { imageName, labels } of dependencies ?? []) {
    const label = repeated((labels ?? []).map(({ name }) => name));
    if (label !== undefined) return `duplicate label ${quoted(label)} of the dependency ${quoted(imageName)}`;
  }
  return undefined;
}

function appFault(app: App): string | undefined {
  const lists = {
    "environment variable": app.environment,
    "mount point": app.mountPoints,
    port: app.ports,
  };
  for (const [noun, items] of Object.entries(lists)) {
    const name = repeated((items ?? []).map((item) => item.name));
    if (name !== undefined) return `duplicate ${noun} ${quoted(name)}`;
  }
  const handler = repeated((app.eventHandlers ?? []).map(({ name }) => name));
  return handler === undefined ? undefined : `Only one eventHandler of name ${quoted(handler)} allowed`;
}

function repeated(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

/** What would run wrongly if it were ignored is refused. */
function refuseUnsupported(manifest: ImageManifest, what: string): void {
  const feature = unsupportedFeature(manifest);
  if (feature === undefined) return;
  throw new GantryError("Unsupported", `${what} has ${feature}, which this version does not support`);
}

function unsupportedFeature({ app }: ImageManifest): string | undefined {
  const [handler] = app?.eventHandlers ?? [];
  if (handler !== undefined) return `a ${handler.name} event handler`;
  for (const port of app?.ports ?? []) {
    if (port.socketActivated) return `the socket-activated port ${quoted(port.name)}`;
    if (!isProtocol(port.protocol)) return `a port of protocol ${quoted(port.protocol)}`;
  }
  return undefined;
}

function isProtocol(text: string): text is ImageApp["ports"][number]["protocol"] {
  return text === "tcp" || text === "udp" || text === "sctp";
}

/** The labels of a manifest by name. */
export function manifestLabels({ labels }: ImageManifest): Record<string, string> {
  return Object.fromEntries((labels ?? []).map(({ name, value }) => [name, value]));
}

/** The annotations of a manifest by name. */
export function manifestAnnotations({ annotations }: ImageManifest): Record<string, string> {
  return Object.fromEntries((annotations ?? []).map(({ name, value }) => [name, value]));
}

/** `name[:version]`, the name under which the image is kept. */
export function manifestName(manifest: ImageManifest): string {
  const { version } = manifestLabels(manifest);
  return version === undefined || version === "" ? manifest.name : `${manifest.name}:${version}`;
}

/** The platform of a manifest in Go's names; without labels the image is independent of both, which is this machine's. */
export function manifestPlatform(manifest: ImageManifest, host: Platform): Platform {
  const { os, arch } = manifestLabels(manifest);
  if (os !== undefined && os !== "linux") {
    throw new GantryError("Unsupported", `${manifest.name} is for the operating system ${quoted(os)}`);
  }
  if (arch === undefined) return { os: "linux", architecture: host.architecture };
  const known = Object.hasOwn(APPC_ARCHITECTURES, arch) ? APPC_ARCHITECTURES[arch] : undefined;
  return { os: "linux", ...(known ?? { architecture: arch }) };
}

/** The app of a manifest; without one the image has no command, and is root's. */
export function manifestApp(manifest: ImageManifest): ImageApp {
  const app: Partial<App> = manifest.app ?? {};
  return {
    ...convertedApp(app.exec ?? [], manifestAnnotations(manifest)),
    environment: [...(app.environment ?? [])],
    user: app.user ?? "0",
    group: app.group ?? "0",
    supplementaryGids: [...(app.supplementaryGIDs ?? app.supplementaryGids ?? [])],
    workingDirectory: app.workingDirectory || "/",
    mountPoints: [...(app.mountPoints ?? [])],
    ports: (app.ports ?? []).map(({ name, protocol, port, count }) => ({
      name,
      protocol: isProtocol(protocol) ? protocol : "tcp",
      port,
      count,
    })),
    isolators: (app.isolators ?? []).map(({ name, value }) => ({ name, value })),
    notifies: manifestAnnotations(manifest)[NOTIFIES] === "true",
  };
}
