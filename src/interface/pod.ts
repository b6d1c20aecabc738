/** org.gantry1.Pod, at /org/gantry1/pod/<escaped id>. */
import { defineInterface } from "../bus/table.ts";
import { ACTIONS } from "./actions.ts";

const SINCE = "0.1";

export const POD = defineInterface({
  name: "org.gantry1.Pod",
  doc: "A pod: apps that live and die together.",
  methods: {
    Describe: {
      doc: "The pod with its apps, in the JSON of `gantry status`.",
      since: SINCE,
      in: [],
      out: [["s", "json"]],
    },
    Start: {
      doc: "As the Manager's StartPod.",
      since: SINCE,
      in: [],
      options: {},
      out: [["o", "operation"]],
      action: ACTIONS.podStart,
    },
    Stop: {
      doc: "As the Manager's StopPod.",
      since: SINCE,
      in: [],
      options: { force: ["b", "Kill at once instead of asking the apps to end."] },
      out: [["o", "operation"]],
      action: ACTIONS.podStop,
    },
    Restart: {
      doc: "As the Manager's RestartPod.",
      since: SINCE,
      in: [],
      options: {},
      out: [["o", "operation"]],
      action: ACTIONS.podRestart,
    },
    Kill: {
      doc: "As the Manager's KillPod.",
      since: SINCE,
      in: [["i", "signal"]],
      options: { app: ["s", "Only this app."] },
      out: [],
      action: ACTIONS.podKill,
    },
    Remove: {
      doc: "As the Manager's RemovePod.",
      since: SINCE,
      in: [],
      options: { force: ["b", "Stop it first, should it run."] },
      out: [["o", "operation"]],
      action: ACTIONS.podRemove,
    },
  },
  properties: {
    Id: { doc: "Its UUID in 32 hexadecimal digits.", since: SINCE, type: "s", emits: "const" },
    Name: { doc: "Its name; empty without one.", since: SINCE, type: "s", emits: "const" },
    State: {
      doc: "prepared, starting, running, stopping or exited.",
      since: SINCE,
      type: "s",
      emits: "true",
    },
    Unit: { doc: "The unit of its sandbox.", since: SINCE, type: "s", emits: "const" },
    Apps: { doc: "The objects of its apps.", since: SINCE, type: "ao", emits: "const" },
    Created: { doc: "Microseconds since the epoch.", since: SINCE, type: "t", emits: "const" },
    Started: {
      doc: "The same, of the last start; 0 before the first.",
      since: SINCE,
      type: "t",
      emits: "true",
    },
    Ended: {
      doc: "The same, of the end of the last start; 0 before.",
      since: SINCE,
      type: "t",
      emits: "true",
    },
    Reason: {
      doc: "Why it ended, in one word; empty while it has not.",
      since: SINCE,
      type: "s",
      emits: "true",
    },
  },
  signals: {},
});
