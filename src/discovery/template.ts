/** What the tags of a discovery page mean for an image (appc 0.8.11, "App Container Image Discovery"). Pure. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { AppName } from "../image/app-name.ts";
import type { Meta } from "./meta.ts";

/** Where an image and its detached signature may be; of a template that knows no extensions, only the image. */
export type Endpoint = { readonly image: string; readonly signature?: string };

export type KeySource = { readonly prefix: string; readonly url: string };

export type TagOptions = { readonly http: boolean };

/** A page that offers more than this for one name is no service to anybody: each may cost a request. */
const MOST = 32;

/**
 * The endpoints that a page's `ac-discovery` tags give for an image, in the page's order. A template is skipped when
 * its prefix does not contain the name, when a label it needs is not given, and when it leads to another scheme than
 * https (or http, where that is allowed). Throws FetchFailed for more than 32 tags about one name.
 */
export function endpointsOf(tags: readonly Meta[], app: AppName, options: TagOptions): Endpoint[] {
  const templates = tagsFor(tags, "ac-discovery", app.name);
  return templates.flatMap(({ url }) => endpointOf(url, app, options) ?? []);
}

/** The same for `ac-discovery-pubkeys`, whose URLs are no templates. */
export function keySourcesOf(tags: readonly Meta[], name: string, options: TagOptions): KeySource[] {
  const sources = tagsFor(tags, "ac-discovery-pubkeys", name);
  return sources.flatMap(({ prefix, url }) => {
    const checked = acceptableUrl(url, options);
    return checked === undefined ? [] : { prefix, url: checked };
  });
}

/** Whether a prefix contains a name: on segment boundaries, so that `example.com/foo` is not `example.com/foobar`'s. */
export function containsName(prefix: string, name: string): boolean {
  return name === prefix || name.startsWith(`${prefix}/`);
}

/** Where the detached signature of an image's URL is by rule: `.aci.asc` beside `.aci`. */
export function signatureUrl(image: string): string | undefined {
  const url = new URL(image);
  if (!url.pathname.endsWith(".aci")) return undefined;
  url.pathname += ".asc";
  return url.href;
}

/** The tags whose prefix contains the name. */
function tagsFor(tags: readonly Meta[], kind: string, name: string): KeySource[] {
  const contents = tags.flatMap((tag) => (tag.name === kind ? [tag.content.trim().split(/\s+/)] : []));
  const matching = contents.flatMap(([written = "", url, ...more]) => {
    const prefix = written.replace(/\/$/, "");
    return url === undefined || more.length > 0 || !containsName(prefix, name) ? [] : { prefix, url };
  });
  if (matching.length <= MOST) return matching;
  throw new GantryError(
    "FetchFailed",
    `the discovery page has ${matching.length} ${kind} tags for ${quoted(name)}, more than ${MOST}`,
  );
}

function endpointOf(template: string, app: AppName, options: TagOptions): Endpoint | undefined {
  const image = render(template, app, "aci");
  const url = image === undefined ? undefined : acceptableUrl(image, options);
  if (url === undefined) return undefined;
  const rendered = acceptableUrl(render(template, app, "aci.asc") ?? "", options);
  const signature = rendered === url ? signatureUrl(url) : rendered;
  return { image: url, ...(signature === undefined ? {} : { signature }) };
}

/** Every `{…}` replaced, in one pass: what a label says is never a template again. Undefined when one has no value. */
function render(template: string, { name, labels }: AppName, ext: string): string | undefined {
  const values = new Map(Object.entries(labels)).set("name", name).set("ext", ext);
  let whole = true;
  const text = template.replace(/\{([^{}]*)\}/g, (expression, key: string) => {
    const value = values.get(key);
    whole &&= value !== undefined;
    return value ?? expression;
  });
  return whole ? text : undefined;
}

function acceptableUrl(text: string, { http }: TagOptions): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return undefined;
  return url.protocol === "https:" || (http && url.protocol === "http:") ? url.href : undefined;
}
