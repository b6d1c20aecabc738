/** appc's identifiers and app strings, `name[:version][,label=value…]` (appc 0.8.11). */
import { GantryError } from "../base/errors.ts";
import { isPrintable, quoted } from "../base/text.ts";

export type AppName = { readonly name: string; readonly labels: Readonly<Record<string, string>> };

const IDENTIFIER = /^[a-z0-9]+([-._~/][a-z0-9]+)*$/;
const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** ACIdentifier: names of images, labels, isolators and annotations. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

/** ACName: names of apps, volumes, mount points and ports. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Whether a name begins with what can be a host of the world: appc's names of images say where they are. */
export function isDiscoverable({ name }: AppName): boolean {
  return /^[^/]*\.[^/]*(\/|$)/.test(name);
}

/**
 * Parses an app string. Undefined when its first part is no appc identifier. Throws BadReference when it is one and
 * what follows is malformed.
 */
export function parseAppName(text: string): AppName | undefined {
  const [head = "", ...pairs] = text.split(",");
  const [name = "", version, ...more] = head.split(":");
  if (!isIdentifier(name)) return undefined;
  if (more.length > 0) return undefined;
  const labels = new Map<string, string>();
  if (version !== undefined) addLabel(labels, ["version", version], text);
  for (const pair of pairs) addLabel(labels, labelOf(pair, text), text);
  return { name, labels: Object.fromEntries(labels) };
}

/** An app string that means this name. */
export function appNameText({ name, labels }: AppName): string {
  const { version, ...others } = labels;
  const pairs = Object.entries(others)
    .map(([label, value]) => `,${label}=${value}`)
    .sort();
  return `${name}${version === undefined ? "" : `:${version}`}${pairs.join("")}`;
}

function labelOf(pair: string, text: string): [string, string] {
  const at = pair.indexOf("=");
  if (at < 0) throw new GantryError("BadReference", `${quoted(text)}: label ${quoted(pair)} has no value`);
  const name = pair.slice(0, at);
  if (name.includes(":")) {
    throw new GantryError(
      "BadReference",
      `${quoted(text)}: a colon may appear only right after the app name`,
    );
  }
  if (!isIdentifier(name)) {
    throw new GantryError("BadReference", `${quoted(text)}: ${quoted(name)} is not a label name`);
  }
  return [name, pair.slice(at + 1)];
}

function addLabel(labels: Map<string, string>, [name, value]: [string, string], text: string): void {
  if (value === "") throw new GantryError("BadReference", `${quoted(text)}: label ${name} is empty`);
  if (!isPrintable(value)) {
    throw new GantryError("BadReference", `${quoted(text)}: label ${name} cannot be printed`);
  }
  if (labels.has(name)) {
    throw new GantryError("BadReference", `${quoted(text)}: label ${name} is given more than once`);
  }
  labels.set(name, value);
}
