/** Plain values to what dbus-next sends, by signature. A value that does not fit throws before a byte is sent. */
import { Variant as WireVariant } from "dbus-next";
import { GantryError } from "../base/errors.ts";
import {
  isObjectPath,
  isSignature,
  parseSignature,
  parseType,
  type TypeTree,
  type Variant,
} from "./signature.ts";

/**
 * The body of a message. dbus-next checks neither object paths nor signatures, and the bus daemon disconnects whoever
 * sends a malformed one.
 */
export function wireBody(signature: string, values: readonly unknown[]): unknown[] {
  const trees = parseSignature(signature);
  if (trees.length !== values.length) throw misshapen(signature);
  return trees.map((tree, at) => wireValue(tree, values[at]));
}

function wireValue(tree: TypeTree, value: unknown): unknown {
  const [first, second] = tree.children;
  if (tree.code === "v") return wireVariant(value as Variant);
  if (tree.code === "(") return wireList(tree, value).map((item, at) => wireField(tree, at, item));
  if (tree.code === "{" && second) return wireDictionary(second, value);
  if (tree.code === "a" && first?.code === "y") return wireBytes(value);
  if (tree.code === "a" && first) return wireList(tree, value).map((item) => wireValue(first, item));
  return wireBasic(tree.code, value);
}

function wireBasic(code: string, value: unknown): unknown {
  if (code === "o" && !(typeof value === "string" && isObjectPath(value))) throw misshapen(code);
  if (code === "g" && !(typeof value === "string" && isSignature(value))) throw misshapen(code);
  if (code === "s") return typeof value === "string" ? value.replaceAll("\0", "\ufffd") : fail(code);
  return value ?? fail(code);
}

function wireVariant(value: Variant | undefined): WireVariant {
  if (typeof value?.signature !== "string") throw misshapen("v");
  return new WireVariant(value.signature, wireValue(parseType(value.signature), value.value));
}

/** dbus-next takes dictionaries as plain objects only. */
function wireDictionary(tree: TypeTree, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw misshapen("a{}");
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, wireValue(tree, item)]));
}

function wireBytes(value: unknown): Buffer {
  return value instanceof Uint8Array ? Buffer.from(value) : fail("ay");
}

function wireList(tree: TypeTree, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw misshapen(tree.code);
  if (tree.code === "(" && value.length !== tree.children.length) throw misshapen("()");
  return value;
}

function wireField(tree: TypeTree, at: number, item: unknown): unknown {
  const field = tree.children[at];
  return field === undefined ? fail("()") : wireValue(field, item);
}

function fail(code: string): never {
  throw misshapen(code);
}

function misshapen(signature: string): GantryError {
  return new GantryError("Internal", `a value does not have the shape of its signature ${signature}`);
}
