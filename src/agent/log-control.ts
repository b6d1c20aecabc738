/** org.freedesktop.LogControl1, which `systemctl service-log-level gantry-agent` speaks. */
import { BusError } from "../bus/errors.ts";
import { type FixedObject, implement } from "../bus/objects.ts";
import { LOG_CONTROL, LOG_CONTROL_PATH } from "../interface/log-control.ts";
import { LEVELS, type Log, TARGETS } from "./log.ts";

const logControlFace = implement<typeof LOG_CONTROL, Log>(LOG_CONTROL, {
  methods: {},
  properties: ({ level, target }) => ({
    LogLevel: level,
    LogTarget: target,
    SyslogIdentifier: "gantry-agent",
  }),
  writers: {
    LogLevel: (log, value) => change(oneOf("LogLevel", LEVELS, value), (level) => (log.level = level)),
    LogTarget: (log, value) => change(oneOf("LogTarget", TARGETS, value), (target) => (log.target = target)),
  },
});

export function logControlObject(log: Log): FixedObject<Log> {
  return { path: LOG_CONTROL_PATH, faces: [logControlFace], entity: () => log };
}

function change<T extends string>(value: T, set: (value: T) => void) {
  return {
    demand: { details: { verb: "change", value } },
    run: () => {
      set(value);
      return undefined;
    },
  };
}

function oneOf<T extends string>(property: string, values: readonly T[], given: string): T {
  const found = values.find((value) => value === given);
  if (found !== undefined) return found;
  throw new BusError("InvalidArgs", `${property} is one of ${values.join(", ")}.`);
}
