/** org.gantry1.Pod, at /org/gantry1/pod/<escaped id>. */
import { defineInterface } from "../bus/table.ts";
import { ACTIONS } from "./actions.ts";
import { constant, deed, query, variable, work } from "./rows.ts";

export const POD = defineInterface({
  name: "org.gantry1.Pod",
  doc: "A pod: apps that live and die together.",
  methods: {
    Describe: query("The pod with its apps, in the JSON of `gantry status`.", {
      in: [],
      out: [["s", "json"]],
    }),
    Start: work("As the Manager's StartPod.", { in: [], options: {}, action: ACTIONS.podStart }),
    Stop: work("As the Manager's StopPod.", {
      in: [],
      options: { force: ["b", "Kill at once instead of asking the apps to end."] },
      action: ACTIONS.podStop,
    }),
    Restart: work("As the Manager's RestartPod.", { in: [], options: {}, action: ACTIONS.podRestart }),
    Kill: deed("As the Manager's KillPod.", {
      in: [["i", "signal"]],
      options: { app: ["s", "Only this app."] },
      action: ACTIONS.podKill,
    }),
    Remove: work("As the Manager's RemovePod.", {
      in: [],
      options: { force: ["b", "Stop it first, should it run."] },
      action: ACTIONS.podRemove,
    }),
  },
  properties: {
    Id: constant("s", "Its UUID in 32 hexadecimal digits."),
    Name: constant("s", "Its name; empty without one."),
    State: variable("s", "prepared, starting, running, stopping or exited."),
    Unit: constant("s", "The unit of its sandbox."),
    Apps: constant("ao", "The objects of its apps."),
    Created: constant("t", "Microseconds since the epoch."),
    Started: variable("t", "The same, of the last start; 0 before the first."),
    Ended: variable("t", "The same, of the end of the last start; 0 before."),
    Reason: variable("s", "Why it ended, in one word; empty while it has not."),
  },
  signals: {},
});
