/**
 * The image record, `images/<image id>.json` in the store: what is known of an image once its bytes are verified.
 * docs/on-disk-format.md places it.
 */
import * as z from "zod";
import { DigestText as Digest } from "./digest-text.ts";
import { Verdict } from "./verdict.ts";

export { Verdict } from "./verdict.ts";

const Id = z.string().regex(/^(sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128})$/);

/** How an app of this image runs when nothing overrides it. Names follow the appc image manifest's `app`. */
export const ImageApp = z.strictObject({
  /** OCI Entrypoint, or appc exec. */
  entrypoint: z.array(z.string()),
  /** OCI Cmd: what user arguments replace; always empty for appc. */
  cmd: z.array(z.string()),
  environment: z.array(z.strictObject({ name: z.string(), value: z.string() })),
  /** As the image wrote it: OCI `user[:group]`, appc user. Empty: root. */
  user: z.string(),
  /** appc group; always empty for OCI. */
  group: z.string(),
  supplementaryGids: z.array(z.int().nonnegative()),
  workingDirectory: z.string(),
  /** A signal name as systemd takes it, such as SIGTERM or SIGRTMIN+3. */
  stopSignal: z.string(),
  mountPoints: z.array(z.strictObject({ name: z.string(), path: z.string(), readOnly: z.boolean() })),
  ports: z.array(
    z.strictObject({
      name: z.string(),
      protocol: z.enum(["tcp", "udp", "sctp"]),
      port: z.int(),
      count: z.int(),
    }),
  ),
  isolators: z.array(z.strictObject({ name: z.string(), value: z.unknown() })),
  /** appc.io/executor/supports-systemd-notify */
  notifies: z.boolean(),
});
export type ImageApp = z.infer<typeof ImageApp>;

export const ImageLayer = z.strictObject({
  /** Digest of the uncompressed tar; names the directory in layers/ with `:` as `-`. */
  diffId: Digest,
  /** Digest and size of the archive as it was served. */
  digest: Digest,
  size: z.int().nonnegative(),
  mediaType: z.string(),
  /** The extracted tree: the sizes of its files, each counted once, and its names, whiteouts among them. */
  unpackedSize: z.int().nonnegative(),
  entries: z.int().nonnegative(),
  /** The whole layer's diff id, when this one is the part of it that path whitelists leave; `diffId` then names the part. */
  of: Digest.optional(),
});
export type ImageLayer = z.infer<typeof ImageLayer>;

/** What an HTTP server said of the archive, so that it can be asked whether it has changed (RFC 9111, RFC 9110 13.1.2). */
export const Remote = z.strictObject({
  url: z.string(),
  etag: z.string().optional(),
  /** Seconds for which the server need not be asked again, from `checked` (microseconds since the epoch) on. */
  maxAge: z.int().nonnegative(),
  checked: z.int(),
});
export type Remote = z.infer<typeof Remote>;

export const ImageRecord = z.strictObject({
  version: z.literal(1),
  /** `sha256-<hex>` or `sha512-<hex>`. */
  id: Id,
  kind: z.enum(["oci", "docker", "appc"]),
  /** Every name it was imported under, such as `registry.example/app:1.0` or `example.com/app:1.0`. */
  names: z.array(z.string()),
  /** Why it may run by each of them: no name is trusted by another's rule and keys. */
  verdicts: z.array(z.strictObject({ name: z.string(), verdict: Verdict })),
  /** Of the manifest (oci), configuration (docker), uncompressed tar (appc). */
  digest: Digest,
  configDigest: Digest,
  platform: z.strictObject({ os: z.string(), architecture: z.string(), variant: z.string().optional() }),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  /** Bottom first; an appc image's dependencies' layers below its own. */
  layers: z.array(ImageLayer).min(1),
  /** Ids of the appc images whose layers are among them, each with a record and a verdict of its own. */
  dependencies: z.array(Id).optional(),
  /** Who served the manifest of an image from a registry, which may have been a mirror. */
  host: z.string().optional(),
  /** Where an ACI was downloaded from. */
  remote: Remote.optional(),
  app: ImageApp,
  /** Microseconds since the epoch; `created` is the image's own claim, RFC 3339, or absent. */
  created: z.string().optional(),
  imported: z.int(),
  /** The argument it was imported by, such as `oci:/srv/app:1.0`. */
  source: z.string(),
  /** That of the name it was asked for by; for who asks by its id, and on disk, the last import's. */
  verdict: Verdict,
});
export type ImageRecord = z.infer<typeof ImageRecord>;
