/** What a caller of the bus gets to see when a call fails: the standard names here, org.gantry1.Error.* from the table. */
import { busName, GantryError } from "../base/errors.ts";
import { printable } from "../base/text.ts";

/** The last component of the `org.freedesktop.DBus.Error.*` names that a service answers with. */
export type StandardError =
  | "AccessDenied"
  | "InteractiveAuthorizationRequired"
  | "InvalidArgs"
  | "LimitsExceeded"
  | "PropertyReadOnly"
  | "UnknownInterface"
  | "UnknownMethod"
  | "UnknownObject"
  | "UnknownProperty";

/** A refusal that belongs to the bus itself, not to what is served on it. */
export class BusError extends Error {
  readonly busName: string;

  constructor(name: StandardError, message: string) {
    super(printable(message));
    this.name = name;
    this.busName = `org.freedesktop.DBus.Error.${name}`;
  }
}

export type ErrorReply = { readonly name: string; readonly text: string };

/** The bus face of whatever was thrown. What nobody foresaw is Internal, without its text: that could name anything. */
export function errorReply(thrown: unknown): ErrorReply {
  if (thrown instanceof BusError) return { name: thrown.busName, text: thrown.message };
  if (thrown instanceof GantryError) return { name: busName(thrown.kind), text: thrown.message };
  return { name: busName("Internal"), text: "Internal error; the journal has the details." };
}

/** Whether the thrown value is a failure of the program rather than an answer to its caller. */
export function isUnforeseen(thrown: unknown): boolean {
  if (thrown instanceof BusError) return false;
  return !(thrown instanceof GantryError) || thrown.kind === "Internal";
}
