/** What systemd's bus interface takes and gives, as plain JSON: no transport types, no Gantry nouns. */

/** JSON shaped by a D-Bus signature: arrays and structs are arrays, `ay` is an array of bytes or a string. */
export type PropertyValue = string | number | boolean | readonly PropertyValue[];

/** One unit property for StartTransientUnit, such as `["MemoryMax", "t", 1048576]`. */
export type UnitProperty = readonly [name: string, signature: string, value: PropertyValue];

export type TransientUnit = {
  readonly name: string;
  readonly properties: readonly UnitProperty[];
  /** Units created in the same transaction, such as a slice the unit lives in. */
  readonly aux?: readonly (readonly [name: string, properties: readonly UnitProperty[]])[];
  readonly mode?: "fail" | "replace";
};

/** How a job ended, in systemd's words. `done` is the only success. */
export type JobResult = string;

/** A unit as ListUnits tells it. */
export type UnitState = {
  readonly name: string;
  readonly description: string;
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  /** The kind of the job that is queued for it, such as `stop`; empty when none is. */
  readonly job: string;
};

/** Properties of a unit by name; 64-bit integers are numbers where they are safe and bigint where not. */
export type UnitProperties = { readonly [name: string]: unknown };

/** How a transient service that was run to its end has ended. */
export type ServiceOutcome = {
  /** systemd's Result: `success`, `exit-code`, `signal`, `timeout`, `oom-kill` … */
  readonly result: string;
  /** Exit status, or the signal's number when `signalled`. */
  readonly status: number;
  readonly signalled: boolean;
  /** The service's last STATUS= notification. */
  readonly statusText: string;
};
