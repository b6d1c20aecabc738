/** What `image extract` and `image render` share: they differ in whether an image's dependencies come along. */
import { listenForInterrupt } from "./interrupt.ts";
import type { Verb } from "./verb.ts";
import { OVERWRITE } from "./verbs/image-export.ts";

export type Extraction = Pick<Verb, "name" | "summary" | "details"> & {
  /** Without the dependencies. */
  readonly own: boolean;
};

export function extractionVerb({ own, ...face }: Extraction): Verb {
  return {
    ...face,
    synopsis: "[OPTION…] IMAGE DIR",
    options: [{ name: "rootfs-only", help: "DIR is the root file system itself" }, OVERWRITE],
    operands: { min: 2, max: 2 },
    root: true,
    async run(context, { options, operands: [image = "", path = ""] }) {
      const { extractToDirectory } = await import("../manager/export.ts");
      using interrupt = listenForInterrupt();
      const [rootfsOnly, overwrite] = [options.flag("rootfs-only"), options.flag("overwrite")];
      const { signal } = interrupt;
      await extractToDirectory(context, { image, path, own, rootfsOnly, overwrite, signal });
      return 0;
    },
  };
}
