/** org.gantry1.Image, at /org/gantry1/image/<escaped id>. */
import { defineInterface } from "../bus/table.ts";
import { ACTIONS } from "./actions.ts";

const SINCE = "0.1";

export const IMAGE = defineInterface({
  name: "org.gantry1.Image",
  doc: "An imported image.",
  methods: {
    Inspect: {
      doc: "As the Manager's InspectImage.",
      since: SINCE,
      in: [],
      out: [["s", "json"]],
    },
    Remove: {
      doc: "As the Manager's RemoveImage.",
      since: SINCE,
      in: [],
      options: {},
      out: [["o", "operation"]],
      action: ACTIONS.imageRemove,
    },
  },
  properties: {
    Id: { doc: "sha256-… or sha512-….", since: SINCE, type: "s", emits: "const" },
    Kind: { doc: "oci, docker or appc.", since: SINCE, type: "s", emits: "const" },
    Names: { doc: "What it was imported as.", since: SINCE, type: "as", emits: "true" },
    Digest: { doc: "What names its content.", since: SINCE, type: "s", emits: "const" },
    Architecture: { doc: "Of its programs.", since: SINCE, type: "s", emits: "const" },
    Size: {
      doc: "Bytes on disk of all its layers, which other images may share.",
      since: SINCE,
      type: "t",
      emits: "const",
    },
    Imported: { doc: "Microseconds since the epoch.", since: SINCE, type: "t", emits: "true" },
    Verdict: { doc: "Why it may run, in one word.", since: SINCE, type: "s", emits: "true" },
  },
  signals: {},
});
