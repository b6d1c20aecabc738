/**
 * The table of a bus interface: one constant from which the handlers' types, the checking of arguments, the
 * introspection, the installed XML and the manual's synopsis come. A published signature never changes; what a
 * method learns later is a new key of its options.
 */
import type { ValueOf } from "./signature.ts";

export type Argument = readonly [signature: string, name: string];

/** Keys of a trailing `a{sv}` argument. Every key is optional, and one that is not listed is an error. */
export type OptionRows = { readonly [key: string]: readonly [signature: string, doc: string] };

export type MethodRow = {
  readonly doc: string;
  /** The version that brought it. */
  readonly since: string;
  readonly in: readonly Argument[];
  /** When present, the last argument is `a{sv} options` with these keys. */
  readonly options?: OptionRows;
  readonly out: readonly Argument[];
  /** The polkit action a caller needs; without it everybody may call. */
  readonly action?: string;
  /** What a caller needs depends on the call: the handler says it. */
  readonly delegated?: true;
};

export type PropertyRow = {
  readonly doc: string;
  readonly since: string;
  readonly type: string;
  /** `const` never changes while the object lives; `false` is too costly or too lively to announce. */
  readonly emits: "true" | "const" | "false";
  /** The polkit action it takes to set the property; without it, it can only be read. */
  readonly write?: string;
};

export type SignalRow = { readonly doc: string; readonly since: string; readonly args: readonly Argument[] };

export type InterfaceTable = {
  readonly name: string;
  readonly doc: string;
  readonly methods: { readonly [member: string]: MethodRow };
  readonly properties: { readonly [property: string]: PropertyRow };
  readonly signals: { readonly [member: string]: SignalRow };
};

/** Gives the table back with its literal types, which the mapped types below read. */
export function defineInterface<const T extends InterfaceTable>(table: T): T {
  return table;
}

/** Signature of a method's call, options included. */
export function inSignature(row: MethodRow): string {
  return inArguments(row)
    .map(([signature]) => signature)
    .join("");
}

export function outSignature(args: readonly Argument[]): string {
  return args.map(([signature]) => signature).join("");
}

/** Arguments of a method's call, options included. */
export function inArguments(row: MethodRow): readonly Argument[] {
  return row.options === undefined ? row.in : [...row.in, ["a{sv}", "options"]];
}

/** What a method's handler is given: its arguments by name. */
export type ArgumentsOf<M extends MethodRow> = {
  readonly [A in M["in"][number] as A[1]]: ValueOf<A[0]>;
} & (M extends { readonly options: infer O extends OptionRows }
  ? { readonly options: { readonly [K in keyof O]?: ValueOf<O[K][0]> } }
  : unknown);

/** What a handler gives back: nothing, the one value, or all of them in order. */
export type ResultOf<M extends MethodRow> = M["out"] extends readonly []
  ? undefined
  : M["out"] extends readonly [infer Only extends Argument]
    ? ValueOf<Only[0]>
    : ValuesOf<M["out"]>;

/** The values of an argument list, in order. */
export type ValuesOf<A extends readonly Argument[]> = { readonly [K in keyof A]: ValueOf<A[K][0]> };

/** The values of all properties of an interface. */
export type PropertiesOf<T extends InterfaceTable> = {
  readonly [P in keyof T["properties"]]: ValueOf<T["properties"][P]["type"]>;
};

/** The properties of an interface that can be set. */
export type WritableOf<T extends InterfaceTable> = {
  [P in keyof T["properties"]]: T["properties"][P] extends { readonly write: string } ? P : never;
}[keyof T["properties"]];

/** The arguments of a signal, in order. */
export type SignalOf<T extends InterfaceTable, S extends keyof T["signals"]> = ValuesOf<
  T["signals"][S]["args"]
>;
