/** Documents that a user wrote, checked by their schema, with errors a person can act on. */
import type * as z from "zod";
import { type ErrorKind, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { lineAt, lineOfPath } from "./locate.ts";

export type Origin = {
  /** The file, or what else the value came in. */
  readonly name: string;
  readonly kind: ErrorKind;
  /** What the value was parsed from, to tell lines. */
  readonly text?: string;
};

/** Parses JSON and checks it. Throws the kind of `origin`, naming it, the line and the path of the key. */
export function parseDocument<T extends z.ZodType>(schema: T, text: string, origin: Origin): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "";
    const position = / position (\d+)/.exec(reason)?.[1];
    const line = position === undefined ? "" : ` line ${lineAt(text, Number(position))}`;
    throw new GantryError(origin.kind, `${origin.name}${line} is not JSON: ${reason}`, { cause });
  }
  return checkValue(schema, value, { ...origin, text });
}

/** Checks a value. Throws the kind of `origin`, naming it and the path of the key. */
export function checkValue<T extends z.ZodType>(schema: T, value: unknown, origin: Origin): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { where, what } = findingOf(result.error.issues);
  const line = origin.text === undefined ? "" : ` line ${lineOfPath(origin.text, where)}`;
  const path = pathOf(where);
  throw new GantryError(origin.kind, `${origin.name}${line}: ${path === "" ? "" : `${path}: `}${what}`, {
    cause: result.error,
  });
}

type Issue = z.core.$ZodIssue;

type Finding = { readonly where: readonly PropertyKey[]; readonly what: string };

/** The first issue says enough; the others often follow from it. */
function findingOf(issues: readonly Issue[]): Finding {
  const issue = issues[0];
  if (issue === undefined) return { where: [], what: "not valid" };
  // Without branches it is about the key that chooses one.
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    return findingOf(closest(issue.errors).map((one) => within(issue, one)));
  }
  if (issue.code !== "unrecognized_keys") return { where: issue.path, what: issue.message };
  return { where: issue.path, what: `unknown key ${issue.keys.map((key) => quoted(key)).join(", ")}` };
}

/** Of a union's branches the one that failed deepest is the one that was meant. */
function closest(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  const depth = (branch: readonly Issue[]) => Math.max(...branch.map((issue) => issue.path.length), 0);
  return [...branches].sort((a, b) => depth(b) - depth(a))[0] ?? [];
}

function within(union: Issue, inner: Issue): Issue {
  return { ...inner, path: [...union.path, ...inner.path] };
}

/** `apps[0].app.exec` */
function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`))
    .join("");
}
