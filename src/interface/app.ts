/** org.gantry1.App, at /org/gantry1/app/<escaped "<pod id>/<app name>">. */
import { defineInterface } from "../bus/table.ts";
import { constant, variable } from "./rows.ts";

export const APP = defineInterface({
  name: "org.gantry1.App",
  doc: "An app of a pod. It is an ordinary service: systemd's own object of its Unit tells and does the rest.",
  methods: {},
  properties: {
    Name: constant("s", "Its name, unique in the pod."),
    Pod: constant("o", "Its pod."),
    Unit: constant("s", "Its service."),
    Image: constant("s", "The id of its image."),
    State: variable("s", "prepared, running or exited."),
    Started: variable("t", "Microseconds since the epoch; 0 before the first start."),
    Ended: variable("t", "The same; 0 while it has not ended."),
    ExitStatus: variable("i", "Its exit status, 128 more than the signal that ended it, or -1."),
    Result: variable("s", "systemd's word for how it ended; empty while it has not."),
  },
  signals: {},
});
