/** zod schemas from D-Bus signatures: the check of what a caller sent and of what a handler gives back. */
import * as z from "zod";
import { BusError } from "./errors.ts";
import { isObjectPath, isSignature, parseType, type TypeTree, type Variant } from "./signature.ts";
import { inArguments, type MethodRow, type OptionRows } from "./table.ts";

const integer = (low: number, high: number) => z.int().min(low).max(high);
const wide = (low: bigint, high: bigint) => z.bigint().min(low).max(high);
const text = z.string().refine((value) => !value.includes("\0"), "has a NUL");

const BASIC: { readonly [code: string]: z.ZodType } = {
  y: integer(0, 0xff),
  b: z.boolean(),
  n: integer(-0x8000, 0x7fff),
  q: integer(0, 0xffff),
  i: integer(-0x80000000, 0x7fffffff),
  u: integer(0, 0xffffffff),
  x: wide(-(1n << 63n), (1n << 63n) - 1n),
  t: wide(0n, (1n << 64n) - 1n),
  d: z.number(),
  s: text,
  o: z.string().refine(isObjectPath, "is not an object path"),
  g: z.string().refine(isSignature, "is not a signature"),
  v: z.custom<Variant>(isVariant, "is not a variant"),
};

/** The schema of one complete type. `h` has none: descriptors are neither taken nor given. */
export function schemaOf(signature: string): z.ZodType {
  return schemaOfTree(parseType(signature));
}

/** A method's arguments as an object by name, checked. Throws InvalidArgs, which names the argument or option. */
export function argumentParser(row: MethodRow): (body: readonly unknown[]) => Record<string, unknown> {
  const fields = inArguments(row).map(([signature, name]): [string, z.ZodType] => [
    name,
    name === "options" && row.options !== undefined ? optionsSchema(row.options) : schemaOf(signature),
  ]);
  const schema = z.strictObject(Object.fromEntries(fields));
  return (body) => {
    const named = Object.fromEntries(fields.map(([name], at) => [name, body[at]]));
    const parsed = schema.safeParse(named);
    if (!parsed.success) throw invalid(parsed.error);
    return parsed.data;
  };
}

/** Options arrive as variants; each is checked against its row and unwrapped. */
function optionsSchema(rows: OptionRows): z.ZodType {
  const fields = Object.entries(rows).map(([key, [signature]]): [string, z.ZodType] => [
    key,
    z
      .custom<Variant>(
        (given) => isVariant(given) && given.signature === signature,
        `must be of type ${signature}`,
      )
      .transform((given) => given.value)
      .pipe(schemaOf(signature))
      .optional(),
  ]);
  return z.strictObject(Object.fromEntries(fields));
}

function schemaOfTree(tree: TypeTree): z.ZodType {
  const [first, second] = tree.children;
  if (tree.code === "(") return structSchema(tree.children);
  if (tree.code === "{" && first && second) return z.record(keySchema(first), schemaOfTree(second));
  if (tree.code === "a" && first?.code === "y") return z.instanceof(Uint8Array);
  if (tree.code === "a" && first) return z.array(schemaOfTree(first));
  const basic = BASIC[tree.code];
  if (basic === undefined)
    throw new BusError("InvalidArgs", `Values of type "${tree.code}" are not accepted.`);
  return basic;
}

function structSchema(fields: readonly TypeTree[]): z.ZodType {
  const [first, ...rest] = fields.map(schemaOfTree);
  return first === undefined ? z.tuple([]) : z.tuple([first, ...rest]);
}

/** JavaScript's objects have string keys only; so have the dictionaries of our interfaces. */
function keySchema(key: TypeTree): z.ZodString {
  if (key.code === "s" || key.code === "o") return z.string();
  throw new BusError("InvalidArgs", `Dictionaries with keys of type "${key.code}" are not accepted.`);
}

function isVariant(value: unknown): value is Variant {
  return typeof value === "object" && value !== null && "signature" in value && "value" in value;
}

function invalid(error: z.ZodError): BusError {
  const [issue] = error.issues;
  if (issue === undefined) return new BusError("InvalidArgs", "Invalid arguments.");
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  if (unknown !== undefined) return new BusError("InvalidArgs", `Unknown option "${unknown.slice(0, 100)}".`);
  return new BusError("InvalidArgs", `Argument ${issue.path.join(".")}: ${issue.message}.`);
}
