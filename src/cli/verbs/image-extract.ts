/** gantry image extract IMAGE DIR: an image's files, without its dependencies'. */
import { listenForInterrupt } from "../interrupt.ts";
import type { Verb } from "../verb.ts";
import { OVERWRITE } from "./image-export.ts";

export const verb: Verb = {
  name: "image extract",
  synopsis: "[OPTION…] IMAGE DIR",
  summary: "Write the files of an image to a directory",
  details:
    "DIR gets manifest and rootfs. An appc image comes without its dependencies; gantry image render adds them.",
  options: [{ name: "rootfs-only", help: "DIR is the root file system itself" }, OVERWRITE],
  operands: { min: 2, max: 2 },
  root: true,
  async run(context, { options, operands: [image = "", path = ""] }) {
    const { extractToDirectory } = await import("../../manager/export.ts");
    using interrupt = listenForInterrupt();
    const [rootfsOnly, overwrite] = [options.flag("rootfs-only"), options.flag("overwrite")];
    await extractToDirectory(context, {
      image,
      path,
      own: true,
      rootfsOnly,
      overwrite,
      signal: interrupt.signal,
    });
    return 0;
  },
};
