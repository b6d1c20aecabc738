/** org.gantry1.App, at /org/gantry1/app/<escaped "<pod id>/<app name>">. */
import { defineInterface } from "../bus/table.ts";

const SINCE = "0.1";

export const APP = defineInterface({
  name: "org.gantry1.App",
  doc: "An app of a pod. It is an ordinary service: systemd's own object of its Unit tells and does the rest.",
  methods: {},
  properties: {
    Name: { doc: "Its name, unique in the pod.", since: SINCE, type: "s", emits: "const" },
    Pod: { doc: "Its pod.", since: SINCE, type: "o", emits: "const" },
    Unit: { doc: "Its service.", since: SINCE, type: "s", emits: "const" },
    Image: { doc: "The id of its image.", since: SINCE, type: "s", emits: "const" },
    State: {
      doc: "prepared, running or exited.",
      since: SINCE,
      type: "s",
      emits: "true",
    },
    Started: {
      doc: "Microseconds since the epoch; 0 before the first start.",
      since: SINCE,
      type: "t",
      emits: "true",
    },
    Ended: { doc: "The same; 0 while it has not ended.", since: SINCE, type: "t", emits: "true" },
    ExitStatus: {
      doc: "Its exit status, 128 more than the signal that ended it, or -1.",
      since: SINCE,
      type: "i",
      emits: "true",
    },
    Result: {
      doc: "systemd's word for how it ended; empty while it has not.",
      since: SINCE,
      type: "s",
      emits: "true",
    },
  },
  signals: {},
});
