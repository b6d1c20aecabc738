/** gantry image render IMAGE DIR: an image's root file system as an app sees it. */
import { listenForInterrupt } from "../interrupt.ts";
import type { Verb } from "../verb.ts";
import { OVERWRITE } from "./image-export.ts";

export const verb: Verb = {
  name: "image render",
  synopsis: "[OPTION…] IMAGE DIR",
  summary: "Write the files of an image and its dependencies to a directory",
  details:
    "DIR gets manifest and rootfs, with everything that an app of this image finds in its root file system.",
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
      own: false,
      rootfsOnly,
      overwrite,
      signal: interrupt.signal,
    });
    return 0;
  },
};
