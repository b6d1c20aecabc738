/** A failure as a person reads it. */
import type { GantryError } from "../base/errors.ts";
import type { Context } from "./verb.ts";

export function tellFailure(context: Pick<Context, "err">, { message, hint }: GantryError): void {
  context.err(`gantry: ${message}\n`);
  if (hint !== undefined) context.err(`hint: ${hint}\n`);
}
