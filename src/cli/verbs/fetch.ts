/** gantry fetch IMAGE…: takes images into the store. */
import { fetchImage, parseInsecureOptions } from "../../manager/images.ts";
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
  root: true,
  async run(context, { options, operands }) {
    const insecureOptions = parseInsecureOptions(options.value("insecure-options") ?? "");
    using interrupt = listenForInterrupt();
    for (const source of operands) {
      using progress = progressLine(context, source);
      const request = { source, insecureOptions, uid: context.uid, signal: interrupt.signal };
      const record = await fetchImage(context, { ...request, progress: progress.show });
      progress[Symbol.dispose]();
      context.out(`${record.id}\n`);
    }
    return 0;
  },
};
