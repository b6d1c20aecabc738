/** `gantry version` */

import { VERSION } from "../../base/version.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "version",
  synopsis: "",
  summary: "print the version",
  options: [],
  run: async (context) => {
    context.out(`gantry ${VERSION}\n`);
    return 0;
  },
};
