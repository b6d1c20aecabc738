/** gantry image build --rootfs=DIR OUTPUT: a directory as an image, signed if asked. */
import { GantryError } from "../../base/errors.ts";
import { quoted } from "../../base/text.ts";
import { listenForInterrupt } from "../interrupt.ts";
import type { OptionValues, Verb } from "../verb.ts";
import { OVERWRITE } from "./image-export.ts";

export const verb: Verb = {
  name: "image build",
  synopsis: "[OPTION…] OUTPUT",
  summary: "make an image of a directory",
  details:
    "Runs as the caller, who needs no other right than to read the directory. Of a caller who is not root everything in the image " +
    "belongs to root, unless --owner says otherwise. The same directory makes the same bytes everywhere. Prints the digest and the " +
    "files that were written. --sign-key names a key of the caller's gpg, whose agent asks for what it needs: OUTPUT.asc is written beside an " +
    "ACI, and OUTPUT.sig (simple signing) beside an OCI archive. A file with a private key in PEM signs an OCI archive as cosign does, inside of it. " +
    "The image is made in $TMPDIR, or /var/tmp, and copied.",
  options: [
    { name: "rootfs", value: "DIR", help: "what becomes the root file system" },
    { name: "manifest", value: "FILE", help: "an appc image manifest, or for OCI a configuration" },
    { name: "name", value: "NAME", help: "the image's name, with a version or tag" },
    {
      name: "format",
      value: "FORMAT",
      choices: ["aci", "oci"],
      help: "App Container Image (default), or OCI archive",
    },
    { name: "compression", value: "NAME", choices: ["none", "gzip", "zstd"], help: "gzip by default" },
    { name: "owner", value: "UID:GID", help: "of everything in the image" },
    { name: "sign-key", value: "KEY", help: "a key of gpg, or a file with a private key in PEM" },
    OVERWRITE,
  ],
  operands: { min: 1, max: 1 },
  async run(context, { options, operands: [output = ""] }) {
    const { buildImage } = await import("../../manager/build.ts");
    using interrupt = listenForInterrupt();
    const { files, digest, skipped } = await buildImage(context, {
      rootfs: rootfsOf(options),
      output,
      format: options.value("format") === "oci" ? "oci" : "aci",
      compression: compressionOf(options),
      manifest: options.value("manifest"),
      name: options.value("name"),
      signKey: options.value("sign-key"),
      owner: ownerOf(options, context.uid),
      overwrite: options.flag("overwrite"),
      environment: context.environment,
      signal: interrupt.signal,
    });
    if (skipped > 0) context.err(`gantry: ${skipped} sockets were left out\n`);
    context.out(`${[digest, ...files].join("\n")}\n`);
    return 0;
  },
};

function rootfsOf(options: OptionValues): string {
  const rootfs = options.value("rootfs");
  if (rootfs === undefined)
    throw new GantryError("Usage", "--rootfs is missing: the directory to make an image of");
  return rootfs;
}

function compressionOf(options: OptionValues): "none" | "gzip" | "zstd" {
  const value = options.value("compression");
  return value === "none" || value === "zstd" ? value : "gzip";
}

/** Root keeps who owns what; nobody else could have files of several owners. */
function ownerOf(options: OptionValues, uid: number): string | undefined {
  const owner = options.value("owner") ?? (uid === 0 ? undefined : "0:0");
  if (owner === undefined || /^\d{1,10}:\d{1,10}$/.test(owner)) return owner;
  throw new GantryError("Usage", `--owner=${quoted(owner)} is not UID:GID in numbers`);
}
