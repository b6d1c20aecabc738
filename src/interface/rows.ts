/** Rows of interface tables that are alike: what everybody may ask, what begins an operation, what has come or gone. */
import type { Argument, OptionRows, PropertyRow } from "../bus/table.ts";

const SINCE = "0.1";

type Arguments = readonly Argument[];

/** A method without an action: everybody may call it. */
export function query<const I extends Arguments, const O extends Arguments>(
  doc: string,
  signature: { readonly in: I; readonly out: O },
) {
  return { doc, since: SINCE, ...signature };
}

type Deed<I, O> = { readonly in: I; readonly options: O; readonly action: string };

/** A method that begins an operation, which it gives. */
export function work<const I extends Arguments, const O extends OptionRows>(doc: string, deed: Deed<I, O>) {
  return { doc, since: SINCE, ...deed, out: [["o", "operation"]] } as const;
}

/** A method that has done its work when it returns. */
export function deed<const I extends Arguments, const O extends OptionRows>(doc: string, done: Deed<I, O>) {
  return { doc, since: SINCE, ...done, out: [] } as const;
}

/** A signal about an object that has come or gone. */
export function news(doc: string) {
  return {
    doc,
    since: SINCE,
    args: [
      ["s", "id"],
      ["o", "object"],
    ],
  } as const;
}

/** A property that never changes while its object lives. */
export function constant<const T extends string>(type: T, doc: string) {
  return { doc, since: SINCE, type, emits: "const" } as const satisfies PropertyRow;
}

/** A property whose changes are signalled. */
export function variable<const T extends string>(type: T, doc: string) {
  return { doc, since: SINCE, type, emits: "true" } as const satisfies PropertyRow;
}
