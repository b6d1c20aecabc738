/**
 * Names and scopes in the one form in which they are compared. A scope covers whole segments: `example.com/foo` covers
 * `example.com/foo/bar` and never `example.com/foobar`.
 */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { canonicalName } from "../image/source-name.ts";
import type { Transport } from "../image/verdict.ts";

export const EVERYTHING = "*";

export type Named = { readonly transport: Transport; readonly name: string; readonly reference: string };

/**
 * A name as rules and the keystore know it: lower case, with Docker's parts that go without saying. Throws BadReference
 * for one that could be no path.
 */
export function normalName(text: string, transport: Transport): string {
  const lower = text.toLowerCase();
  const whole = transport === "registry" ? registryName(lower) : lower;
  if (isPath(whole)) return whole;
  throw new GantryError("BadReference", `${quoted(text)} is not a name that a rule could cover`);
}

/** For who wrote something else. */
export const SCOPE_HINT =
  "a scope covers all that lies below it: write example.com/foo, not example.com/foo/*, and one image whole, docker.io/library/busybox:1.36";

/** The colons of an IPv6 address are its host's: `[::1]`, `[::1]:5000`. */
const ADDRESS = /^\[[0-9a-f:.]+\](:[0-9]+)?(?=\/|$)/;

/** A scope in that form; undefined when it can't be one. */
export function normalScope(text: string, transport: Transport | undefined): string | undefined {
  const lower = text.toLowerCase().replace(/(?<=[^/])\/$/, "");
  if (lower === EVERYTHING) return lower;
  const whole = transport === "registry" ? registryScope(lower) : lower;
  if (!ADDRESS.test(whole) && /^[^/@]*:(?![0-9]+(\/|$))/.test(whole)) return undefined;
  const path = whole.startsWith("*.") ? whole.slice(2) : whole;
  if (whole.startsWith("*.") && path.includes("/")) return undefined;
  return isPath(path.replace(/@(sha256|sha512):[0-9a-f]+$/, "")) && !path.includes("*") ? whole : undefined;
}

/** How well a scope fits: the more, the more specific; undefined when it does not cover the name. */
export function scopeFit(scope: string, named: Named): number | undefined {
  return isAbout(scope, named) ? specificity(scope) : undefined;
}

/** Of two scopes that cover a name the one with more decides. */
export function specificity(scope: string): number {
  if (scope === EVERYTHING) return 0;
  // A wildcard is about hosts, and any host that is spelt out goes before it: its length counts, but less than one.
  if (scope.startsWith("*.")) return scope.length / 1024;
  return isReference(scope) ? Number.POSITIVE_INFINITY : scope.split("/").length;
}

function isAbout(scope: string, { name, reference }: Named): boolean {
  if (scope === EVERYTHING) return true;
  if (scope.startsWith("*.")) return hostOf(name).endsWith(scope.slice(1));
  return isReference(scope) ? scope === reference.toLowerCase() : covers(scope, name);
}

/** Whether `name` is `scope` or lies below it. */
export function covers(scope: string, name: string): boolean {
  return name === scope || name.startsWith(`${scope}/`);
}

/** `a`, `a/b`, `a/b/c` of `a/b/c`: the scopes of the keystore that a name lies in. */
export function prefixesOf(name: string): string[] {
  const segments = name.split("/");
  return segments.map((_, at) => segments.slice(0, at + 1).join("/"));
}

/** A scope with a tag or a digest means one image. A colon in the first segment belongs to a port. */
export function isReference(scope: string): boolean {
  return scope.includes("@") || /\/.*:/.test(scope);
}

function hostOf(name: string): string {
  return (name.split("/")[0] ?? "").replace(/:[0-9]+$/, "");
}

function isPath(text: string): boolean {
  return text.split("/").every((segment) => /^[^\s\0-\x1f]+$/.test(segment) && !/^\.\.?$/.test(segment));
}

/** Without tag and digest. */
function registryName(text: string): string {
  const bare = (canonicalName(text) ?? text).replace(/@.*$/, "");
  const untagged = bare.replace(/:[^/:]*$/, (tail, at) => (bare.slice(0, at).includes("/") ? "" : tail));
  return untagged
    .replace(/^index\.docker\.io\//, "docker.io/")
    .replace(/^docker\.io\/([^/]+)$/, "docker.io/library/$1");
}

/** `busybox` and `library/busybox` mean Docker's registry; what looks like a host is one. */
export function registryScope(text: string): string {
  if (ADDRESS.test(text)) return text;
  const [first = "", ...rest] = text.split("/");
  const host = first.replace(/@.*$|:(?![0-9]+$).*$/, "");
  if (/[.:*]/.test(host) || host === "localhost")
    return text.replace(/^index\.docker\.io(?=\/|$)/, "docker.io");
  return rest.length === 0 ? `docker.io/library/${first}` : `docker.io/${text}`;
}
