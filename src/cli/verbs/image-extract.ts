/** gantry image extract IMAGE DIR: an image's files, without its dependencies'. */
import { extractionVerb } from "../extraction.ts";

export const verb = extractionVerb({
  name: "image extract",
  summary: "write the files of an image to a directory",
  details:
    "DIR gets manifest and rootfs. An appc image comes without its dependencies; gantry image render adds them.",
  own: true,
});
