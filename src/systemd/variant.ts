/** JSON property values to dbus-next's values. */
import type { Variant } from "dbus-next";
import { GantryError } from "../base/errors.ts";
import type { PropertyValue, UnitProperty } from "./unit.ts";

type MakeVariant = new (signature: string, value: unknown) => Variant;

/** `a(sv)` for StartTransientUnit. Throws Internal when a value does not have the shape of its signature. */
export function toVariants(properties: readonly UnitProperty[], make: MakeVariant): [string, Variant][] {
  return properties.map(([name, signature, value]) => [
    name,
    new make(signature, toValue(name, signature, value)),
  ]);
}

/** A string given for `ay` becomes its bytes; `t` and `x` become bigint; everything else stays as it is. */
function toValue(name: string, signature: string, value: PropertyValue): unknown {
  if (signature === "ay")
    return typeof value === "string" ? Buffer.from(value) : Buffer.from(numbers(name, value));
  if (signature === "t" || signature === "x") return BigInt(number(name, value));
  if (signature.startsWith("a"))
    return list(name, value).map((item) => toValue(name, signature.slice(1), item));
  if (signature.startsWith("(")) {
    const members = memberSignatures(signature.slice(1, -1));
    return list(name, value).map((item, index) => toValue(name, members[index] ?? "", item));
  }
  return value;
}

/** Splits `sasb` into `s`, `as`, `b`. */
export function memberSignatures(signature: string): string[] {
  const members: string[] = [];
  for (let start = 0; start < signature.length; ) {
    const end = completeTypeEnd(signature, start);
    members.push(signature.slice(start, end));
    start = end;
  }
  return members;
}

function completeTypeEnd(signature: string, start: number): number {
  let at = start;
  while (signature[at] === "a") at += 1;
  if (signature[at] !== "(") return at + 1;
  for (let depth = 0; at < signature.length; at += 1) {
    if (signature[at] === "(") depth += 1;
    if (signature[at] === ")" && --depth === 0) return at + 1;
  }
  throw new GantryError("Internal", `unbalanced signature ${signature}`);
}

function list(name: string, value: PropertyValue): readonly PropertyValue[] {
  if (Array.isArray(value)) return value;
  throw misshapen(name);
}

function numbers(name: string, value: PropertyValue): number[] {
  return list(name, value).map((item) => number(name, item));
}

function number(name: string, value: PropertyValue): number {
  if (typeof value === "number" && Number.isInteger(value)) return value;
  throw misshapen(name);
}

function misshapen(name: string): GantryError {
  return new GantryError(
    "Internal",
    `the value of unit property ${name} does not have the shape of its signature`,
  );
}
