/** The keys of a document as its schema has them, for a page that must describe each of them and no other. */
import * as z from "zod";

type Schema = {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly $ref?: string;
};

export type Key = { readonly path: string; readonly type: string; readonly note: string };

/** Paths below which nothing is listed. */
type Stops = Readonly<Record<string, unknown>>;

/** Every key of a schema. */
export function keysOf(schema: z.ZodType, stops: Stops = {}): Key[] {
  return keysBelow(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Schema, "", stops);
}

/** Every key below a schema, `apps[].name` for a key of a list's objects. */
function keysBelow(schema: Schema, prefix: string, stops: Stops): Key[] {
  const own = objectsOf(schema).flatMap(({ properties = {}, required = [] }) =>
    Object.entries(properties).flatMap(([name, value]) =>
      keyAndBelow({ path: `${prefix}${name}`, required: required.includes(name) }, value, stops),
    ),
  );
  const paths = [...new Set(own.map(({ path }) => path))];
  return paths.map((path) => merged(own.filter((key) => key.path === path)));
}

/** A key that several kinds of an object have. */
function merged(keys: readonly Key[]): Key {
  const [{ path, note } = { path: "", note: "" }] = keys;
  return { path, note, type: [...new Set(keys.map(({ type }) => type))].join(", ") };
}

function keyAndBelow(
  { path, required }: { readonly path: string; readonly required: boolean },
  schema: Schema,
  stops: Stops,
): Key[] {
  const key = { path, type: typeOf(schema), note: noteOf(schema, required) };
  if (path in stops) return [key];
  const inList = alternatives(schema).some(({ items }) => items !== undefined);
  return [key, ...keysBelow(schema, `${path}${inList ? "[]" : ""}.`, stops)];
}

/** The object schemas that a value may be, itself or as a list's items. */
function objectsOf(schema: Schema): Schema[] {
  return alternatives(schema).flatMap((one) => {
    if (one.items !== undefined) return objectsOf(one.items);
    return one.properties === undefined ? [] : [one];
  });
}

function alternatives(schema: Schema): readonly Schema[] {
  const among = schema.anyOf ?? schema.oneOf;
  return among === undefined ? [schema] : among.flatMap(alternatives);
}

function typeOf(schema: Schema): string {
  const words = alternatives(schema)
    .filter(({ type }) => type !== "null")
    .map((one) => {
      if (one.const !== undefined) return JSON.stringify(one.const);
      if (one.enum !== undefined) return one.enum.map((word) => JSON.stringify(word)).join(", ");
      if (one.items !== undefined) return `list of ${typeOf(one.items)}`;
      return one.type ?? "any value";
    });
  return [...new Set(words)].join(" or ");
}

function noteOf(schema: Schema, required: boolean): string {
  if (schema.default !== undefined) return `; default ${JSON.stringify(schema.default)}`;
  return required ? "; required" : "";
}

/** The rows of `table`, which are those of `wanted`: an undescribed name and a description of nothing stop the build. */
export function describedOnly(
  what: string,
  wanted: readonly string[],
  table: Readonly<Record<string, string>>,
): [string, string][] {
  const missing = wanted.filter((name) => !(name in table));
  const superfluous = Object.keys(table).filter((name) => !wanted.includes(name));
  if (missing.length + superfluous.length > 0)
    throw new Error(
      `${what}s not described: ${missing.join(", ")}; described, but gone: ${superfluous.join(", ")}`,
    );
  return wanted.map((name) => [name, table[name] ?? ""]);
}
