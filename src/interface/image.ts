/** org.gantry1.Image, at /org/gantry1/image/<escaped id>. */
import { defineInterface } from "../bus/table.ts";
import { ACTIONS } from "./actions.ts";
import { constant, query, variable, work } from "./rows.ts";

export const IMAGE = defineInterface({
  name: "org.gantry1.Image",
  doc: "An imported image.",
  methods: {
    Inspect: query("As the Manager's InspectImage.", { in: [], out: [["s", "json"]] }),
    Verify: work("As the Manager's VerifyImage.", {
      in: [],
      options: { repair: ["b", "As there."], credentials: ["a{sa{ss}}", "As there."] },
      action: ACTIONS.imageVerify,
    }),
    Remove: work("As the Manager's RemoveImage.", { in: [], options: {}, action: ACTIONS.imageRemove }),
  },
  properties: {
    Id: constant("s", "sha256-… or sha512-…."),
    Kind: constant("s", "oci, docker or appc."),
    Names: variable("as", "What it was imported as."),
    Digest: constant("s", "What names its content."),
    Architecture: constant("s", "Of its programs."),
    Size: constant("t", "Bytes of the files of all its layers, which other images may share."),
    Imported: variable("t", "Microseconds since the epoch."),
    Verdict: variable(
      "s",
      "Why it may run by its id, in one word; its names have verdicts of their own, which Inspect tells.",
    ),
  },
  signals: {},
});
