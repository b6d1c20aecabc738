/** gantry fetch IMAGE…: takes images into the store. */
import { parseInsecureOptions } from "../../manager/images.ts";
import { openImages } from "../../manager/open-images.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { progressLine } from "../progress.ts";
import type { Option, Verb } from "../verb.ts";

/** Shared with run and prepare. */
export const INSECURE: Option = {
  name: "insecure-options",
  value: "OPTIONS",
  help: "checks to leave out, separated by commas: image (signatures)",
};

export const verb: Verb = {
  name: "fetch",
  synopsis: "[OPTION…] IMAGE…",
  summary: "Import images from files and directories",
  details:
    "IMAGE is oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:REF], file:///PATH, or a path to an .aci " +
    "file, another archive or a layout. Prints the id of each image.",
  options: [INSECURE],
  operands: { min: 1, max: 1000 },
  async run(context, { options, operands }) {
    const insecureOptions = parseInsecureOptions(options.value("insecure-options") ?? "");
    await using images = await openImages(context);
    using interrupt = listenForInterrupt();
    for (const source of operands) {
      using progress = progressLine(context, source);
      const request = { source, insecureOptions, uid: context.uid, signal: interrupt.signal };
      const id = await images.fetch({ ...request, progress: progress.show });
      progress[Symbol.dispose]();
      context.out(`${id}\n`);
    }
    return 0;
  },
};
