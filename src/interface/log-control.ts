/** org.freedesktop.LogControl1, at /org/freedesktop/LogControl1: systemd's own words (org.freedesktop.LogControl1(5)). */
import { defineInterface } from "../bus/table.ts";
import { ACTIONS } from "./actions.ts";
import { constant } from "./rows.ts";

export const LOG_CONTROL_PATH = "/org/freedesktop/LogControl1";

const SINCE = "0.1";

export const LOG_CONTROL = defineInterface({
  name: "org.freedesktop.LogControl1",
  doc: "What the agent logs, and where.",
  methods: {},
  properties: {
    LogLevel: {
      doc: "The least urgent level that is logged.",
      since: SINCE,
      type: "s",
      emits: "false",
      write: ACTIONS.logChange,
    },
    LogTarget: {
      doc: "auto, journal, console or null.",
      since: SINCE,
      type: "s",
      emits: "false",
      write: ACTIONS.logChange,
    },
    SyslogIdentifier: constant("s", "What its entries in the journal are called by."),
  },
  signals: {},
});
