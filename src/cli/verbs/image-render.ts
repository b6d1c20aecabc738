/** gantry image render IMAGE DIR: an image's root file system as an app sees it. */
import { extractionVerb } from "../extraction.ts";

export const verb = extractionVerb({
  name: "image render",
  summary: "write the files of an image and its dependencies to a directory",
  details:
    "DIR gets manifest and rootfs, with everything that an app of this image finds in its root file system.",
  own: false,
});
