/** org.gantry1.Operation, at /org/gantry1/operation/<escaped id>. */
import { defineInterface } from "../bus/table.ts";
import { ACTIONS } from "./actions.ts";
import { constant, variable } from "./rows.ts";

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
    Id: constant("s", "Its id."),
    Kind: constant("s", "The verb and its noun, such as pod.run."),
    Target: constant(
      "s",
      "What it works on, as the caller named it; of a URL without user and query, which may be secrets.",
    ),
    Owner: constant("u", "The user who began it."),
    Phase: variable("s", "What it does now; done, failed or cancelled at the end."),
    Progress: variable("d", "From 0 to 1."),
    Result: variable(
      "s",
      "The id of what it made or worked on, unless the method that began it tells another result; empty before the end.",
    ),
    Error: variable("(ss)", "Name and text of the error it failed with; both empty otherwise."),
    Started: constant("t", "Microseconds since the epoch."),
    Ended: variable("t", "The same; 0 before the end."),
  },
  signals: {
    LogMessage: {
      doc: "A line about the work, for people; priority 4 is what the caller should know, 6 anything else.",
      since: SINCE,
      args: [
        ["u", "priority"],
        ["s", "line"],
      ],
    },
    Event: {
      doc: "A step of a fetch, for programs: an object as a line of the JSON of `gantry fetch` has it.",
      since: SINCE,
      args: [["s", "json"]],
    },
  },
});
