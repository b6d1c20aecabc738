/** Objects on the bus: what stands at which path, and the handlers that an interface table demands. */
import { escapeLabel, unescapeLabel } from "./label.ts";
import type { ValueOf } from "./signature.ts";
import type { ArgumentsOf, InterfaceTable, MethodRow, PropertiesOf, ResultOf, WritableOf } from "./table.ts";

/** Who calls. The decision about a call is bound to `sender`, never to anything in its arguments. */
export type Call = {
  /** The caller's unique name, as the bus daemon stamps it. */
  readonly sender: string;
  /** The caller allows a question to be put to the user (message flag 0x4). */
  readonly interactive: boolean;
};

/** What a caller must be allowed to do, with the names of what it is done to. */
export type Demand = {
  readonly details: Readonly<Record<string, string>>;
  /** Actions needed besides the method's own, such as for an option that lowers a guard. */
  readonly further?: readonly string[];
};

/**
 * A call that changes something, before it is allowed to. What its words mean has been settled by then: between the
 * question and the deed lies a person's time to find a password.
 */
export type Errand<R> = {
  /** Undefined when the caller may in any case. */
  readonly demand: Demand | undefined;
  readonly run: () => R | Promise<R>;
};

/** The handlers of an interface for entities of type E. A missing one, or one without a demand, does not compile. */
export type Implementation<T extends InterfaceTable, E> = {
  readonly methods: { readonly [M in keyof T["methods"]]: HandlerOf<T["methods"][M], E> };
  readonly properties: (entity: E) => PropertiesOf<T>;
} & ([WritableOf<T>] extends [never] ? unknown : { readonly writers: WritersOf<T, E> });

/** Each sets one property, whose action the service asks for; they say what it is done to. */
type WritersOf<T extends InterfaceTable, E> = {
  readonly [P in WritableOf<T>]: (
    entity: E,
    value: ValueOf<T["properties"][P]["type"]>,
  ) => Errand<undefined> & { readonly demand: Demand };
};

type HandlerOf<M extends MethodRow, E> = M extends { readonly action: string } | { readonly delegated: true }
  ? (entity: E, args: ArgumentsOf<M>, call: Call) => Errand<ResultOf<M>> | Promise<Errand<ResultOf<M>>>
  : (entity: E, args: ArgumentsOf<M>, call: Call) => ResultOf<M> | Promise<ResultOf<M>>;

/** An implemented interface with its types taken off. Method syntax, so that a Face<Pod> is a Face<unknown>. */
export type Face<E> = {
  readonly table: InterfaceTable;
  /** Gives the result, or for a method with an action the errand. */
  handle(member: string, entity: E, args: object, call: Call): unknown;
  properties(entity: E): Readonly<Record<string, unknown>>;
  /** The errand that sets a property; undefined for one that can only be read. The value is of its type. */
  write(property: string, entity: E, value: unknown): Errand<undefined> | undefined;
};

/** One object that is always there. */
export type FixedObject<E = unknown> = {
  readonly path: string;
  readonly faces: readonly Face<E>[];
  entity(): E;
};

/** Objects of one kind, at `<prefix>/<escaped name>`. An entity is a snapshot; each call looks anew. */
export type Collection<E = unknown> = {
  readonly prefix: string;
  readonly faces: readonly Face<E>[];
  find(name: string): Promise<E | undefined>;
  list(): Promise<ReadonlyMap<string, E>>;
};

export type ObjectTree = {
  readonly fixed: readonly FixedObject[];
  readonly collections: readonly Collection[];
};

/** What a path leads to: an object whose interfaces are known before it has been looked for. */
export type Place = {
  readonly faces: readonly Face<unknown>[];
  find(): Promise<unknown>;
};

/** Binds handlers to their table. */
export function implement<const T extends InterfaceTable, E>(
  table: T,
  implementation: Implementation<T, E>,
): Face<E> {
  type Erased = (entity: E, args: object, call: Call) => unknown;
  // The table checked each handler's type above; below it is looked up by a name that is only known at run time.
  const methods = implementation.methods as unknown as { readonly [member: string]: Erased | undefined };
  type ErasedWriter = (entity: E, value: unknown) => Errand<undefined>;
  const { writers = {} } = implementation as { writers?: { readonly [property: string]: ErasedWriter } };
  return {
    table,
    handle: (member, entity, args, call) => methods[member]?.(entity, args, call),
    properties: (entity) => implementation.properties(entity),
    write: (property, entity, value) => writers[property]?.(entity, value),
  };
}

/** The path of an entity in its collection. */
export function objectPath(prefix: string, name: string): string {
  return `${prefix}/${escapeLabel(name)}`;
}

/** The place at a path, or undefined when no object can be there. */
export function placeAt(tree: ObjectTree, path: string): Place | undefined {
  const fixed = tree.fixed.find((object) => object.path === path);
  if (fixed !== undefined) return { faces: fixed.faces, find: async () => fixed.entity() };
  const cut = path.lastIndexOf("/");
  const collection = tree.collections.find(({ prefix }) => prefix === path.slice(0, cut));
  const name = unescapeLabel(path.slice(cut + 1));
  if (collection === undefined || name === undefined) return undefined;
  return { faces: collection.faces, find: () => collection.find(name) };
}

/** The labels right below a path, or undefined when nothing is at or below it. */
export async function childrenOf(tree: ObjectTree, path: string): Promise<string[] | undefined> {
  const own = tree.collections.find(({ prefix }) => prefix === path);
  const members = own === undefined ? [] : [...(await own.list()).keys()].map(escapeLabel);
  const known = [...tree.fixed.map((object) => object.path), ...tree.collections.map(({ prefix }) => prefix)];
  const base = path === "/" ? "/" : `${path}/`;
  const below = known
    .filter((other) => other.startsWith(base) && other !== path)
    .map((other) => other.slice(base.length).split("/")[0] ?? "");
  const isNode = known.includes(path) || below.length > 0;
  return isNode ? [...new Set([...below, ...members])].sort() : undefined;
}
