/** org.gantry1.Operation, at /org/gantry1/operation/<escaped id>. */
import { defineInterface } from "../bus/table.ts";
import { ACTIONS } from "./actions.ts";

const SINCE = "0.1";

export const OPERATION = defineInterface({
  name: "org.gantry1.Operation",
  doc: "Long work. The object stays for 30 seconds after its end, so that who was slow to look still sees the result.",
  methods: {
    Cancel: {
      doc: "Ends the work early; whoever began it may. What was begun is undone or left as garbage, never half done.",
      since: SINCE,
      in: [],
      out: [],
      action: ACTIONS.operationCancel,
    },
  },
  properties: {
    Id: { doc: "Its id.", since: SINCE, type: "s", emits: "const" },
    Kind: { doc: "The verb and its noun, such as pod.run.", since: SINCE, type: "s", emits: "const" },
    Target: { doc: "What it works on, as the caller named it.", since: SINCE, type: "s", emits: "const" },
    Owner: { doc: "The user who began it.", since: SINCE, type: "u", emits: "const" },
    Phase: {
      doc: "What it does now; done, failed or cancelled at the end.",
      since: SINCE,
      type: "s",
      emits: "true",
    },
    Progress: { doc: "From 0 to 1.", since: SINCE, type: "d", emits: "true" },
    Result: { doc: "The id of what it made; empty before the end.", since: SINCE, type: "s", emits: "true" },
    Error: {
      doc: "Name and text of the error it failed with; both empty otherwise.",
      since: SINCE,
      type: "(ss)",
      emits: "true",
    },
    Started: { doc: "Microseconds since the epoch.", since: SINCE, type: "t", emits: "const" },
    Ended: { doc: "The same; 0 before the end.", since: SINCE, type: "t", emits: "true" },
  },
  signals: {
    LogMessage: {
      doc: "A line about the work, for people.",
      since: SINCE,
      args: [
        ["u", "priority"],
        ["s", "line"],
      ],
    },
  },
});
