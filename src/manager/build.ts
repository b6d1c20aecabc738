/** A directory as an image: packed, and signed if asked, by the caller with his own rights. */
import { createReadStream } from "node:fs";
import { mkdtemp, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { GantryError } from "../base/errors.ts";
import { readBounded, storeError, unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { VERSION } from "../base/version.ts";
import type { Paths } from "../config/paths.ts";
import {
  APPC_ARCHITECTURES,
  manifestApp,
  manifestLabels,
  manifestName,
  manifestPlatform,
  parseImageManifest,
} from "../image/aci.ts";
import { parseAppName } from "../image/app-name.ts";
import { digestOf } from "../image/hashing.ts";
import { assembleImage, document, type OciImage, writeArchive } from "../image/oci-archive.ts";
import { configurationOfApp, manifestOf, OCI_CONFIG, OCI_MANIFEST } from "../image/oci-image.ts";
import type { Packed } from "../image/packed.ts";
import { hostPlatform } from "../image/platform.ts";
import { parseRepository, repositoryText } from "../image/repository.ts";
import {
  COSIGN_ANNOTATION,
  COSIGN_PAYLOAD_TYPE,
  cosignPayload,
  cosignTag,
  simpleSigningPayload,
} from "../image/signed-payload.ts";
import { requireFreeFile, writeOutput } from "../store/outlet.ts";
import { type PackCompression, PackReport } from "../store/pack.ts";
import { accessError } from "../store/store.ts";
import type { Tools } from "../store/tool.ts";
import { useTool } from "../store/tool.ts";
import { installedTools } from "../store/tool-process.ts";
import { removeTree } from "../store/tree.ts";
import { readSigner, type Signer, signDetached, signInline, signPayload } from "./signing.ts";

export type Build = {
  readonly rootfs: string;
  readonly output: string;
  readonly format: "aci" | "oci";
  readonly compression: PackCompression;
  /** A file with an appc image manifest, or for `oci` an OCI configuration. */
  readonly manifest?: string | undefined;
  /** `name[:version]` of an ACI, a registry's name for `oci`. */
  readonly name?: string | undefined;
  /** A key of gpg's, or a file with a private key. */
  readonly signKey?: string | undefined;
  /** Who owns everything in the image; as in the directory when absent. */
  readonly owner?: string | undefined;
  readonly overwrite: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
};

/** The files that were written, and what is in the first. */
export type Built = { readonly files: readonly string[]; readonly digest: string; readonly skipped: number };

type Builder = { readonly paths: Paths; readonly tools?: Tools };

/**
 * Packs and signs. Throws Usage, BadImage for a wrong manifest, BadConfig for a key, FileExists, StoreFull, AccessDenied,
 * Cancelled, Internal.
 */
export async function buildImage({ paths, tools }: Builder, given: Build): Promise<Built> {
  const build = { ...given, output: resolve(given.output), rootfs: resolve(given.rootfs) };
  const signer = build.signKey === undefined ? undefined : await readSigner(build.signKey, build.environment);
  if (build.format === "aci" && signer?.kind === "pem") {
    throw new GantryError("Usage", "an ACI is signed with an OpenPGP key, not with a key file", {
      hint: "--sign-key=KEYID names a key of gpg, --format=oci takes a key file",
    });
  }
  await requireDirectory(build.rootfs);
  await requireFreeFile(build.output, build);
  const scratch = await makeScratch(build.environment);
  try {
    const bench = { build, scratch, signer, tools: tools ?? installedTools(paths.libexec) };
    return await (build.format === "aci" ? buildAci(bench) : buildOci(bench));
  } catch (error) {
    throw storeError(error, dirname(scratch));
  } finally {
    await removeTree(scratch);
  }
}

async function requireDirectory(path: string): Promise<void> {
  const found = await unlessMissing(stat(path)).catch((cause: unknown) => {
    throw accessError(cause, path);
  });
  if (found?.isDirectory() === true) return;
  throw new GantryError("Usage", `there is no directory ${quoted(path)}`);
}

type Bench = {
  readonly build: Build;
  readonly scratch: string;
  readonly signer: Signer | undefined;
  readonly tools: Tools;
};

/** Not beside the output: whoever else rules that directory could exchange what is being packed and signed. */
async function makeScratch(environment: Build["environment"]): Promise<string> {
  const directory = environment["TMPDIR"] || "/var/tmp";
  try {
    return await mkdtemp(join(directory, "gantry-build-"));
  } catch (cause) {
    throw new GantryError("AccessDenied", `nothing can be written to ${quoted(directory)}`, { cause });
  }
}

async function buildAci(bench: Bench): Promise<Built> {
  const { build, scratch, signer } = bench;
  const manifest = join(scratch, "manifest");
  await writeFile(manifest, JSON.stringify(await appcManifest(build)));
  const packed = await packDirectory(bench, [
    "aci",
    `--compression=${build.compression}`,
    `--manifest=${manifest}`,
  ]);
  const signature = `${build.output}.asc`;
  if (signer?.kind === "gpg") {
    await requireFreeFile(signature, build);
    const made = join(scratch, "signature");
    await signDetached(signer, { file: packed.path, output: made });
    await writeCopy(made, signature, build);
  }
  // The image comes last: with it there is its signature.
  await writeCopy(packed.path, build.output, build);
  const files = signer === undefined ? [build.output] : [build.output, signature];
  return { files, digest: `sha512:${packed.diff.sha512}`, skipped: packed.skipped };
}

/** A copy beside its place, then a rename: whole or not at all. */
async function writeCopy(from: string, to: string, build: Build): Promise<void> {
  await writeOutput(to, build, async (output) => {
    await pipeline(createReadStream(from, { highWaterMark: 1 << 20 }), output);
  });
}

async function packDirectory(
  { build, scratch, tools }: Bench,
  words: readonly string[],
): Promise<Packed & { skipped: number }> {
  const owner = build.owner === undefined ? [] : [`--owner=${build.owner}`];
  const into = await mkdtemp(join(scratch, "pack-"));
  const run = {
    ...({ program: "gantry-pack", operation: "build", part: "build", into, reads: [] } as const),
    words: [...words, "--as-caller", ...owner, build.rootfs],
    signal: build.signal,
  };
  const report = await useTool(tools, run, { what: quoted(build.rootfs), success: PackReport });
  return { ...report, path: join(into, "data") };
}

/** The manifest of an ACI: the given one with the given name, or one that says only name and platform. */
async function appcManifest(build: Build): Promise<Record<string, unknown>> {
  const given = build.manifest === undefined ? undefined : await readManifest(build.manifest);
  const named = { ...plainManifest(), ...given, ...nameWords(build.name, given) };
  const what = build.manifest === undefined ? "the image" : quoted(build.manifest);
  parseImageManifest(JSON.stringify(named), what);
  return named;
}

function plainManifest(): Record<string, unknown> {
  return { acKind: "ImageManifest", acVersion: "0.8.11", labels: platformLabels() };
}

function platformLabels() {
  const { os, architecture } = hostPlatform();
  const known = Object.entries(APPC_ARCHITECTURES).find(([, go]) => go.architecture === architecture);
  return [
    { name: "os", value: os },
    { name: "arch", value: known?.[0] ?? architecture },
  ];
}

type Label = { readonly name: string; readonly value: string };

/** `name` and the labels that `NAME[:VERSION][,LABEL=VALUE…]` gives; other labels stay. */
function nameWords(
  name: string | undefined,
  given: Record<string, unknown> | undefined,
): Record<string, unknown> {
  if (name === undefined) {
    if (given !== undefined) return {};
    throw new GantryError("Usage", "what is the image called? --name or --manifest says it");
  }
  const parsed = parseAppName(name);
  if (parsed === undefined) throw new GantryError("BadReference", `${quoted(name)} is no appc name`);
  const labels = (given?.["labels"] as Label[] | undefined) ?? platformLabels();
  const own = Object.entries(parsed.labels).map(([label, value]) => ({ name: label, value }));
  return { name: parsed.name, labels: [...own, ...labels.filter((label) => !(label.name in parsed.labels))] };
}

const DOCUMENT_LIMIT = 1024 * 1024;

async function readManifest(path: string): Promise<Record<string, unknown>> {
  const bytes = await unlessMissing(readBounded(path, DOCUMENT_LIMIT));
  if (bytes === undefined) throw new GantryError("Usage", `there is no manifest ${quoted(path)}`);
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GantryError("BadImage", `manifest ${quoted(path)} is not valid JSON: ${why}`, { cause });
  }
}

async function buildOci(bench: Bench): Promise<Built> {
  const { build, signer } = bench;
  const { configuration, name } = await ociConfiguration(build);
  const packed = await packDirectory(bench, ["layer", `--compression=${build.compression}`]);
  const image = assembleImage({ configuration, layers: [packed], compression: build.compression, ref: name });
  const { digest } = image.manifest.descriptor;
  const more = signer?.kind === "pem" ? [cosigned(image, { name: needName(name), key: signer.key })] : [];
  const signature = `${build.output}.sig`;
  if (signer?.kind === "gpg")
    await writeSimpleSigning(bench, { signer, digest, name: needName(name), signature });
  await writeOutput(build.output, build, (output) => writeArchive(output, [image, ...more]));
  const files = signer?.kind === "gpg" ? [build.output, signature] : [build.output];
  return { files, digest, skipped: packed.skipped };
}

function needName(name: string | undefined): string {
  if (name !== undefined) return name;
  throw new GantryError("Usage", "a signature is for a name: --name says which");
}

type SimpleSigning = {
  readonly signer: Extract<Signer, { kind: "gpg" }>;
  readonly digest: string;
  readonly name: string;
  readonly signature: string;
};

async function writeSimpleSigning(
  { build, scratch }: Bench,
  { signer, digest, name, signature }: SimpleSigning,
): Promise<void> {
  await requireFreeFile(signature, build);
  const [file, output] = [join(scratch, "payload"), join(scratch, "signature")];
  const payload = simpleSigningPayload(
    { digest, reference: name },
    { creator: `gantry ${VERSION}`, time: Math.floor(Date.now() / 1000) },
  );
  await writeFile(file, payload);
  await signInline(signer, { file, output });
  await writeCopy(output, signature, build);
}

/** cosign's first layout: a manifest whose tag is made of the image's digest (docs/trust.md). */
function cosigned(
  image: OciImage,
  { name, key }: { readonly name: string; readonly key: Extract<Signer, { kind: "pem" }>["key"] },
): OciImage {
  const { registry, repository } = parseRepository(name);
  const { digest } = image.manifest.descriptor;
  const payload = cosignPayload({ digest, reference: `${registry}/${repository}` });
  const descriptor = {
    mediaType: COSIGN_PAYLOAD_TYPE,
    digest: digestOf(payload),
    size: payload.length,
    annotations: { [COSIGN_ANNOTATION]: signPayload(key, payload) },
  };
  const config = document(OCI_CONFIG, {
    ...{ architecture: "", os: "", config: {} },
    rootfs: { type: "layers", diff_ids: [descriptor.digest] },
  });
  const manifest = document(OCI_MANIFEST, manifestOf(config.descriptor, [descriptor]));
  return { manifest, blobs: [config, { descriptor, content: payload }], ref: cosignTag(digest) };
}

/** An OCI configuration, given as one or as an appc manifest, and the image's whole name. */
async function ociConfiguration(build: Build): Promise<{ configuration: unknown; name: string | undefined }> {
  const given = build.manifest === undefined ? undefined : await readManifest(build.manifest);
  const name = build.name === undefined ? undefined : repositoryText(parseRepository(build.name));
  if (given?.["acKind"] !== undefined)
    return fromAppc(JSON.stringify(given), { name, path: build.manifest ?? "" });
  const { os, architecture } = hostPlatform();
  return { configuration: { os, architecture, config: {}, ...given }, name };
}

function fromAppc(text: string, { name, path }: { name: string | undefined; path: string }) {
  const manifest = parseImageManifest(text, quoted(path));
  const facts = {
    app: manifestApp(manifest),
    platform: manifestPlatform(manifest, hostPlatform()),
    labels: manifestLabels(manifest),
  };
  return {
    configuration: configurationOfApp(facts),
    name: name ?? repositoryText(parseRepository(manifestName(manifest))),
  };
}
