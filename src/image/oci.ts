/**
 * OCI documents and their Docker version 2 twins: descriptor, index, manifest, configuration (image specification
 * 1.1). Unknown fields are allowed everywhere, as the specification demands; unknown types of content are not.
 */
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";

const OCI = "application/vnd.oci.image";
const DOCKER = "application/vnd.docker";

const INDEX_TYPES: ReadonlySet<string> = new Set([
  `${OCI}.index.v1+json`,
  `${DOCKER}.distribution.manifest.list.v2+json`,
]);
const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  `${OCI}.manifest.v1+json`,
  `${DOCKER}.distribution.manifest.v2+json`,
]);
/** What a client says it accepts. */
export const MEDIA_TYPES = { index: INDEX_TYPES, manifest: MANIFEST_TYPES } as const;

const CONFIGURATION_TYPES: ReadonlySet<string> = new Set([
  `${OCI}.config.v1+json`,
  `${DOCKER}.container.image.v1+json`,
]);
// Foreign layers name other servers for their bytes; they are read like any other when the bytes are here.
const LAYER_TYPES: ReadonlySet<string> = new Set([
  ...["", "+gzip", "+zstd"].flatMap((suffix) => [
    `${OCI}.layer.v1.tar${suffix}`,
    `${OCI}.layer.nondistributable.v1.tar${suffix}`,
  ]),
  // Not in the specification, but written by tools that compress layers otherwise.
  ...["+xz", "+bzip2"].map((suffix) => `${OCI}.layer.v1.tar${suffix}`),
  ...["", ".gzip", ".zstd"].map((suffix) => `${DOCKER}.image.rootfs.diff.tar${suffix}`),
  `${DOCKER}.image.rootfs.foreign.diff.tar.gzip`,
]);

const MOST_ENTRIES = 1000;
// The kernel takes 500 lower directories in one overlay (fs/overlayfs, OVL_MAX_STACK).
const MOST_LAYERS = 500;

const TOO_MANY = `more than ${MOST_ENTRIES} entries`;
const isFew = (entries: object) => Object.keys(entries).length <= MOST_ENTRIES;

const Annotations = z.record(z.string(), z.string()).nullish();

const Platform = z.object({
  os: z.string(),
  architecture: z.string(),
  variant: z.string().optional(),
  "os.features": z.array(z.string()).optional(),
});
export type Platform = z.infer<typeof Platform>;

export const Descriptor = z.object({
  mediaType: z.string(),
  digest: z.string(),
  size: z.int().nonnegative(),
  artifactType: z.string().optional(),
  annotations: Annotations,
  platform: Platform.optional(),
  urls: z.array(z.string()).nullish(),
});
export type Descriptor = z.infer<typeof Descriptor>;

const Index = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  manifests: z.array(Descriptor).max(MOST_ENTRIES),
});
export type Index = z.infer<typeof Index>;

const Manifest = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  config: Descriptor,
  layers: z.array(Descriptor).max(MOST_LAYERS),
  annotations: Annotations,
});
export type Manifest = z.infer<typeof Manifest>;

const Strings = z.array(z.string()).nullish();
const Keys = z.record(z.string(), z.unknown()).refine(isFew, TOO_MANY).nullish();

const Execution = z.object({
  User: z.string().nullish(),
  ExposedPorts: Keys,
  Env: z.array(z.string()).max(MOST_ENTRIES, TOO_MANY).nullish(),
  Entrypoint: Strings,
  Cmd: Strings,
  Volumes: Keys,
  WorkingDir: z.string().nullish(),
  Labels: z.record(z.string(), z.string()).refine(isFew, TOO_MANY).nullish(),
  StopSignal: z.string().nullish(),
});
export type Execution = z.infer<typeof Execution>;

const Configuration = z.object({
  created: z.string().nullish(),
  author: z.string().nullish(),
  architecture: z.string(),
  os: z.string(),
  variant: z.string().nullish(),
  config: Execution.nullish(),
  rootfs: z.object({
    type: z.string(),
    diff_ids: z.array(z.string()).max(MOST_LAYERS),
  }),
});
export type Configuration = z.infer<typeof Configuration>;

/** What a descriptor leads to, by its media type. Throws Unsupported for what is neither. */
export function documentKind(descriptor: Descriptor): "index" | "manifest" {
  if (INDEX_TYPES.has(descriptor.mediaType)) return "index";
  if (MANIFEST_TYPES.has(descriptor.mediaType)) return "manifest";
  if (/^application\/vnd\.docker\.distribution\.manifest\.v1\b/.test(descriptor.mediaType)) {
    throw schema1(descriptor.digest);
  }
  const type = quoted(descriptor.mediaType);
  throw new GantryError("Unsupported", `${descriptor.digest} has the unknown media type ${type}`);
}

/** Parses an index; `descriptor` is the one that led to it, if any. Throws BadImage. */
export function parseIndex(bytes: Buffer, what: string, descriptor?: Descriptor): Index {
  const document = parseJson(bytes, what);
  refuseAmbiguous(document, what);
  const index = checked(Index, document, what);
  checkMediaType(index.mediaType, { expected: descriptor?.mediaType, known: INDEX_TYPES, what });
  return index;
}

/** Parses the manifest of an image. Throws BadImage; Unsupported for artifacts and schema 1. */
export function parseManifest(bytes: Buffer, what: string, descriptor: Descriptor): Manifest {
  const document = parseJson(bytes, what);
  refuseAmbiguous(document, what);
  if (isObject(document) && document["schemaVersion"] === 1) throw schema1(what);
  const manifest = checked(Manifest, document, what);
  checkMediaType(manifest.mediaType, { expected: descriptor.mediaType, known: MANIFEST_TYPES, what });
  refuseArtifact(manifest, what);
  for (const layer of manifest.layers) checkLayerType(layer, what);
  return manifest;
}

/** Parses a configuration that must describe `layers` layers, if given. Throws BadImage; Unsupported for another os. */
export function parseConfiguration(bytes: Buffer, what: string, layers?: number): Configuration {
  const configuration = checked(Configuration, parseJson(bytes, what), what);
  const { type, diff_ids: diffIds } = configuration.rootfs;
  if (type !== "layers")
    throw new GantryError("BadImage", `${what} has the rootfs type ${quoted(type)}, not "layers"`);
  if (layers !== undefined && diffIds.length !== layers) {
    throw new GantryError(
      "BadImage",
      `${what} names ${diffIds.length} layers but the manifest has ${layers}`,
    );
  }
  if (diffIds.length === 0) throw new GantryError("BadImage", `${what} has no layers`);
  if (configuration.os !== "linux") {
    throw new GantryError("Unsupported", `${what} is for the operating system ${quoted(configuration.os)}`);
  }
  return configuration;
}

function checkLayerType(layer: Descriptor, what: string): void {
  if (LAYER_TYPES.has(layer.mediaType)) return;
  const type = quoted(layer.mediaType);
  throw new GantryError("Unsupported", `${what}: layer ${layer.digest} has the unknown media type ${type}`);
}

function refuseArtifact(manifest: Manifest, what: string): void {
  const type = manifest.config.mediaType;
  if (CONFIGURATION_TYPES.has(type)) return;
  throw new GantryError(
    "Unsupported",
    `${what} is an artifact (its configuration is ${quoted(type)}), not an image`,
  );
}

/** A document that could be read as index and as manifest would let one be signed and the other run. */
function refuseAmbiguous(document: unknown, what: string): void {
  if (!isObject(document) || !("manifests" in document) || !("layers" in document)) return;
  throw new GantryError("BadImage", `${what} has both manifests and layers`);
}

function checkMediaType(
  found: string | undefined,
  { expected, known, what }: { expected: string | undefined; known: ReadonlySet<string>; what: string },
): void {
  if (found === undefined || found === expected) return;
  if (expected === undefined && known.has(found)) return;
  const wanted = expected === undefined ? "" : `, its descriptor says ${quoted(expected)}`;
  throw new GantryError("BadImage", `${what} calls itself ${quoted(found)}${wanted}`);
}

function schema1(what: string): GantryError {
  return new GantryError("Unsupported", `${what} is a Docker schema 1 manifest, which is not supported`, {
    hint: "pull and push the image again with a current tool, which rewrites it as schema 2",
  });
}

/** Parses JSON from an image. Throws BadImage that names the document. */
export function parseJson(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? "valid JSON" : "valid UTF-8";
    throw new GantryError("BadImage", `${what} is not ${why}`, { cause });
  }
}

/** `document` as the schema says, or BadImage that names the first wrong key. */
export function checked<T>(schema: z.ZodType<T>, document: unknown, what: string): T {
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue === undefined || issue.path.length === 0 ? "" : ` at ${quoted(issue.path.join("."))}`;
  throw new GantryError("BadImage", `${what} is malformed${key}: ${issue?.message ?? "invalid"}`, {
    cause: result.error,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
