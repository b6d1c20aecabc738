/**
 * What the manager and the fetcher say to each other, one JSON document a line (docs/fetcher.md): the manager's one
 * request, then what it wants of the layers; the fetcher's events. Both sides read with the same schemas.
 */
import * as z from "zod";
import { ERROR_KINDS, type ErrorKind } from "../base/errors.ts";
import { DigestText } from "../image/digest-text.ts";
import { Descriptor } from "../image/oci.ts";
import { Signature } from "../image/signature.ts";
import { MOST_INDEXES } from "../image/verdict.ts";

/** The longest line either side accepts: system-wide certificates travel in the request. */
export const LONGEST_LINE = 8 * 1024 * 1024;

/** Digests asked for in one line, which is as many layers as an image may have. */
const MOST_BLOBS = 500;
const MOST_SOURCES = 64;

const Basic = z.strictObject({ kind: z.literal("basic"), user: z.string(), password: z.string() });
/** Sent as it is, `Authorization: Bearer`: rkt's `oauth`, docker's `registrytoken`. */
const Bearer = z.strictObject({ kind: z.literal("bearer"), token: z.string() });

/** Of a registry. */
export const Credentials = z.discriminatedUnion("kind", [
  Basic,
  Bearer,
  /** An OAuth refresh token, exchanged at the realm: docker's `identitytoken`. */
  z.strictObject({ kind: z.literal("identity-token"), token: z.string() }),
]);
export type Credentials = z.infer<typeof Credentials>;

/** Signs each request (AWS Signature Version 4); without a region it is the one that the host's name tells. */
export const SigningKey = z.strictObject({
  kind: z.literal("aws"),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  region: z.string().optional(),
});
export type SigningKey = z.infer<typeof SigningKey>;

/** Of a web server. */
export const ServerCredentials = z.discriminatedUnion("kind", [Basic, Bearer, SigningKey]);
export type ServerCredentials = z.infer<typeof ServerCredentials>;

/** How one server is spoken to. */
export const Access = z.strictObject({
  credentials: Credentials.optional(),
  /** Certificates in PEM that are trusted beside the system's. */
  ca: z.string().optional(),
  /** The server's certificate isn't checked. */
  insecureTls: z.boolean().optional(),
  /** http is allowed, and tried where https doesn't answer; credentials may be sent over it. */
  plainHttp: z.boolean().optional(),
});
export type Access = z.infer<typeof Access>;

export const Capability = z.enum(["pull", "resolve"]);
export type Capability = z.infer<typeof Capability>;

/** A server that may have the image, with the path below which its repositories are. */
export const Source = z.strictObject({
  ...Access.shape,
  /** `https://host[:port][/path]`; the API is below `/v2/` and the path goes before the repository's. */
  url: z.url({ protocol: /^https?$/ }),
  /** `resolve`: may say which image a tag is; `pull`: may serve what is asked for by digest. */
  capabilities: z.array(Capability).min(1),
  /** The repository's path there, where it is another than in the reference. */
  repository: z.string().optional(),
});
export type Source = z.infer<typeof Source>;

export const ProxySettings = z.strictObject({
  http: z.url({ protocol: /^https?$/ }).optional(),
  https: z.url({ protocol: /^https?$/ }).optional(),
  /** NO_PROXY: names, suffixes, addresses and networks, with commas. */
  except: z.string().optional(),
});
export type ProxySettings = z.infer<typeof ProxySettings>;

/** In milliseconds, except where said; what is left out has the default of src/transfer/limits.ts. */
export const TimeLimits = z.strictObject({
  connect: z.int().positive().optional(),
  /** Without any byte. */
  idle: z.int().positive().optional(),
  /** Below `rate` bytes a second, on average over this time. */
  slow: z.int().positive().optional(),
  rate: z.int().nonnegative().optional(),
  /** For one document, all attempts together. */
  document: z.int().positive().optional(),
  /** Attempts for one document or, without progress between them, for one layer. */
  attempts: z.int().positive().optional(),
  /** The first pause before another attempt; each is twice the one before. */
  pause: z.int().nonnegative().optional(),
  /** The longest Retry-After that is honoured. */
  longestPause: z.int().nonnegative().optional(),
});
export type TimeLimits = z.infer<typeof TimeLimits>;

/** What every request has: where to write, and how the network is reached. */
const Surroundings = z.strictObject({
  version: z.literal(1),
  /** The one directory that the fetcher writes; absolute. */
  directory: z.string().startsWith("/"),
  proxy: ProxySettings.optional(),
  /** In PEM, the authorities that are trusted instead of this machine's. */
  authorities: z.string().optional(),
  limits: TimeLimits.optional(),
});

export const Platform = z.strictObject({
  os: z.string(),
  architecture: z.string(),
  variants: z.array(z.string()),
});

export const RegistryRequest = z.strictObject({
  ...Surroundings.shape,
  kind: z.literal("registry"),
  /** The canonical name that the operator meant, whichever server it comes from. */
  reference: z.string(),
  platform: Platform,
  /** In the order in which they are tried. */
  sources: z.array(Source).min(1).max(MOST_SOURCES),
  signatures: z.strictObject({
    /** Of `<url>/<repository>@<alg>=<hex>/signature-N`. */
    lookaside: z.array(z.url({ protocol: /^https?$/ })),
    cosign: z.boolean(),
    referrers: z.boolean(),
  }),
});
export type RegistryRequest = z.infer<typeof RegistryRequest>;

/** What an earlier transfer of a URL said of it; `fresh`: the server need not be asked again yet. */
export const Known = z.strictObject({ url: z.string(), etag: z.string().optional(), fresh: z.boolean() });
export type Known = z.infer<typeof Known>;

const HttpUrl = z.url({ protocol: /^https?$/ });

/** A web server that something is configured for, by `host` or `host:port`. */
const Server = z.strictObject({
  host: z.string(),
  ...Access.shape,
  credentials: ServerCredentials.optional(),
  /** The file that has the credentials: who may not in has to look there. */
  file: z.string().optional(),
});
export type Server = z.infer<typeof Server>;

/** How web servers are spoken to: those that something is configured for, and all others. */
const Servers = z.strictObject({
  servers: z.array(Server).max(1024),
  others: Access.omit({ credentials: true }),
});
export type Servers = z.infer<typeof Servers>;

const Archive = z.strictObject({
  ...Surroundings.shape,
  ...Servers.shape,
  known: z.array(Known).max(1024),
  /** Bytes it must have. */
  size: z.int().nonnegative().optional(),
  /** Whether its signature is wanted. */
  signature: z.boolean(),
});

/** An ACI at a URL. */
export const ArchiveRequest = z.strictObject({ ...Archive.shape, kind: z.literal("archive"), url: HttpUrl });
export type ArchiveRequest = z.infer<typeof ArchiveRequest>;

/** An ACI that is to be discovered. */
export const AppcRequest = z.strictObject({
  ...Archive.shape,
  kind: z.literal("appc"),
  name: z.string().max(4096),
  labels: z.record(z.string(), z.string()),
});
export type AppcRequest = z.infer<typeof AppcRequest>;

/** The public keys that an appc name's pages offer, or those at `urls`. */
export const KeysRequest = z.strictObject({
  ...Surroundings.shape,
  ...Servers.shape,
  kind: z.literal("keys"),
  name: z.string().max(4096),
  urls: z.array(HttpUrl).min(1).max(16).optional(),
});
export type KeysRequest = z.infer<typeof KeysRequest>;

export const Request = z.discriminatedUnion("kind", [
  RegistryRequest,
  ArchiveRequest,
  AppcRequest,
  KeysRequest,
]);
export type Request = z.infer<typeof Request>;

/** One layer, and the FIFO below the directory that wants it. */
export const Wanted = z.strictObject({
  digest: DigestText,
  size: z.int().nonnegative(),
  /** The descriptor's own; tried when no source has the layer. */
  urls: z.array(z.string()).optional(),
  into: z.string().regex(/^[a-z0-9-]+(\/[a-z0-9-]+)*$/),
});
export type Wanted = z.infer<typeof Wanted>;

/** What the manager says after its request, once the image is resolved and allowed. */
export const Command = z.union([
  z.strictObject({ get: z.array(Wanted).max(MOST_BLOBS) }),
  z.strictObject({ end: z.literal(true) }),
]);
export type Command = z.infer<typeof Command>;

const Kind = z.enum(Object.keys(ERROR_KINDS) as [ErrorKind, ...ErrorKind[]]);

/** DIRECTORY is an OCI layout by now: index.json → manifest, configuration; and the signatures' blobs. */
export const Resolved = z.strictObject({
  event: z.literal("resolved"),
  manifest: Descriptor,
  /** The indexes that led to the manifest, the tag's first; their bytes are in the layout, too. */
  indexes: z.array(Descriptor).max(MOST_INDEXES),
  signatures: z.array(Signature),
  /** Who served the manifest. */
  host: z.string(),
});
export type Resolved = z.infer<typeof Resolved>;

/** Where an ACI is in DIRECTORY. */
export const ARCHIVE = "archive.aci";

/** What became of an ACI. */
export const Archived = z.strictObject({
  event: z.literal("archive"),
  /** The URL that was asked, and what its server said: for how many seconds it need not be asked again. */
  url: z.string(),
  etag: z.string().max(4096).optional(),
  maxAge: z.int().nonnegative().optional(),
  /** `archive.aci` in DIRECTORY, and its signatures' blobs as a layout has them; absent: it is what was known. */
  archive: z.strictObject({ size: z.int().nonnegative(), signatures: z.array(Signature) }).optional(),
});
export type Archived = z.infer<typeof Archived>;

/** Armoured public keys, each with the scope its page offers it for and where it came from. */
export const Keys = z.strictObject({
  event: z.literal("keys"),
  keys: z.array(z.strictObject({ scope: z.string(), url: z.string(), armour: z.string() })).min(1),
});
export type Keys = z.infer<typeof Keys>;

export const Event = z.discriminatedUnion("event", [
  Resolved,
  Archived,
  Keys,
  /** `bytes` of an ACI are there, of `size` where the server tells. */
  z.strictObject({
    event: z.literal("received"),
    bytes: z.int().nonnegative(),
    size: z.int().nonnegative().optional(),
  }),
  /** `bytes` of the layer have been handed on in all. */
  z.strictObject({ event: z.literal("progress"), digest: DigestText, bytes: z.int().nonnegative() }),
  /** The layer's last byte has been handed on. */
  z.strictObject({ event: z.literal("layer"), digest: DigestText, host: z.string() }),
  z.strictObject({ event: z.literal("log"), text: z.string() }),
  z.strictObject({
    event: z.literal("failed"),
    kind: Kind,
    text: z.string(),
    hint: z.string().optional(),
  }),
  z.strictObject({ event: z.literal("done") }),
]);
export type Event = z.infer<typeof Event>;
