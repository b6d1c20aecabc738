/** gantry image export IMAGE FILE: an image as one file, to be run elsewhere. */
import { GantryError } from "../../base/errors.ts";
import type { PackCompression } from "../../manager/export.ts";
import { listenForInterrupt } from "../interrupt.ts";
import type { Option, Verb } from "../verb.ts";

export const OVERWRITE: Option = { name: "overwrite", help: "replace what is there" };
const COMPRESSIONS: readonly PackCompression[] = ["none", "gzip", "zstd"];

export const verb: Verb = {
  name: "image export",
  synopsis: "[OPTION…] IMAGE FILE",
  summary: "write an image to a file",
  details:
    "FILE may be - for standard output. An ACI holds the whole root file system, dependencies included, and the image's configuration in appc's words; an OCI archive " +
    "holds the layers one by one. Both are made of the extracted layers: digests are other ones than those of the archives that " +
    "were imported, and the same for the same image everywhere. What signatures said of the image is not said of the file.",
  options: [
    {
      name: "format",
      value: "FORMAT",
      choices: ["aci", "oci"],
      help: "App Container Image (default), or OCI archive",
    },
    {
      name: "compression",
      value: "NAME",
      choices: COMPRESSIONS,
      help: "by default none for an ACI and gzip for the layers of an OCI archive",
    },
    OVERWRITE,
  ],
  operands: { min: 2, max: 2 },
  root: true,
  async run(context, { options, operands: [image = "", path = ""] }) {
    const { exportImage, STANDARD_OUTPUT } = await import("../../manager/export.ts");
    if (path === STANDARD_OUTPUT && context.stdoutTerminal)
      throw new GantryError("Usage", "an archive is not written to a terminal");
    using interrupt = listenForInterrupt();
    const format = options.value("format") === "oci" ? "oci" : "aci";
    const given = COMPRESSIONS.find((name) => name === options.value("compression"));
    const compression = given ?? (format === "aci" ? "none" : "gzip");
    const overwrite = options.flag("overwrite");
    await exportImage(context, { image, path, format, compression, overwrite, signal: interrupt.signal });
    return 0;
  },
};
