/**
 * D-Bus signatures, twice: as a tree for checking and encoding values, and as TypeScript types, so that a handler
 * for `(ss)a{sv}` does not compile when it takes or gives anything else.
 */
import { BusError } from "./errors.ts";

/** A value with its own signature: what `v` carries. */
export type Variant = { readonly signature: string; readonly value: unknown };

/** One complete type. `children`: an array's element, a struct's fields, a dictionary's key and value. */
export type TypeTree = {
  readonly code: string;
  readonly children: readonly TypeTree[];
};

/** The specification's limit, for signatures and (64) for nesting. */
const MAX_LENGTH = 255;
const MAX_DEPTH = 64;
const BASIC = "ybnqiuxtdsogh";

/** The TypeScript value of one complete type. */
export type ValueOf<S extends string> = TakeOne<S> extends [infer Value, ""] ? Value : never;

/** Parses any number of complete types. Throws InvalidArgs when the signature is malformed. */
export function parseSignature(signature: string): TypeTree[] {
  if (signature.length > MAX_LENGTH) throw malformed(signature);
  const trees: TypeTree[] = [];
  for (let at = 0; at < signature.length; ) {
    const [tree, end] = parseOne(signature, at, 0);
    trees.push(tree);
    at = end;
  }
  return trees;
}

/** Parses exactly one complete type. */
export function parseType(signature: string): TypeTree {
  const [tree, ...more] = parseSignature(signature);
  if (tree === undefined || more.length > 0) throw malformed(signature);
  return tree;
}

export function isObjectPath(path: string): boolean {
  return /^\/$|^(\/[A-Za-z0-9_]+)+$/.test(path);
}

export function isSignature(signature: string): boolean {
  try {
    parseSignature(signature);
    return true;
  } catch {
    return false;
  }
}

function parseOne(signature: string, at: number, depth: number): [tree: TypeTree, end: number] {
  const code = signature[at];
  if (code === undefined || depth > MAX_DEPTH) throw malformed(signature);
  if (BASIC.includes(code) || code === "v") return [{ code, children: [] }, at + 1];
  if (code === "(") return parseStruct(signature, at + 1, depth + 1);
  if (code !== "a") throw malformed(signature);
  if (signature[at + 1] === "{") return parseDictionary(signature, at + 2, depth + 1);
  const [element, end] = parseOne(signature, at + 1, depth + 1);
  return [{ code: "a", children: [element] }, end];
}

function parseStruct(signature: string, start: number, depth: number): [tree: TypeTree, end: number] {
  const children: TypeTree[] = [];
  let at = start;
  while (signature[at] !== ")") {
    const [child, end] = parseOne(signature, at, depth);
    children.push(child);
    at = end;
  }
  if (children.length === 0) throw malformed(signature);
  return [{ code: "(", children }, at + 1];
}

function parseDictionary(signature: string, start: number, depth: number): [tree: TypeTree, end: number] {
  const [key, afterKey] = parseOne(signature, start, depth);
  const [value, end] = parseOne(signature, afterKey, depth);
  if (!BASIC.includes(key.code) || signature[end] !== "}") throw malformed(signature);
  return [{ code: "{", children: [key, value] }, end + 1];
}

function malformed(signature: string): BusError {
  return new BusError("InvalidArgs", `Malformed signature "${signature.slice(0, MAX_LENGTH)}".`);
}

// The type level: TakeOne takes one complete type off the front and leaves [its value, the rest],
// or gives null: `never` would match every pattern.

type TakeOne<S extends string> = S extends `a{${infer Rest}`
  ? TakeDictionary<Rest>
  : S extends `ay${infer Rest}`
    ? [Uint8Array, Rest]
    : S extends `a${infer Rest}`
      ? TakeOne<Rest> extends [infer Value, infer After]
        ? [readonly Value[], After]
        : null
      : S extends `(${infer Rest}`
        ? TakeStruct<Rest, readonly []>
        : S extends `${infer Code}${infer Rest}`
          ? Code extends keyof BasicValues
            ? [BasicValues[Code], Rest]
            : null
          : null;

type TakeDictionary<S extends string> =
  TakeOne<S> extends [string, infer AfterKey extends string]
    ? TakeOne<AfterKey> extends [infer Value, `}${infer Rest}`]
      ? [Readonly<Record<string, Value>>, Rest]
      : null
    : null;

type TakeStruct<S extends string, Fields extends readonly unknown[]> = S extends `)${infer Rest}`
  ? [Fields, Rest]
  : TakeOne<S> extends [infer Value, infer After extends string]
    ? TakeStruct<After, readonly [...Fields, Value]>
    : null;

type BasicValues = {
  y: number;
  b: boolean;
  n: number;
  q: number;
  i: number;
  u: number;
  x: bigint;
  t: bigint;
  d: number;
  s: string;
  o: string;
  g: string;
  v: Variant;
};
