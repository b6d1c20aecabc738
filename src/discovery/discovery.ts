/**
 * Meta discovery (appc 0.8.11, "App Container Image Discovery"): from a name to URLs, by pages at the name and at its
 * parents. How a page is transferred is the caller's matter.
 */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { AppName } from "../image/app-name.ts";
import { type Meta, readMeta } from "./meta.ts";
import { type Endpoint, endpointsOf, type KeySource, keySourcesOf } from "./template.ts";

export type { Endpoint, KeySource } from "./template.ts";
export { signatureUrl } from "./template.ts";

/** A page's text; undefined when the server answered that it has none. Throws FetchFailed and TimedOut when it did not answer. */
export type GetPage = (url: string) => Promise<string | undefined>;

export type DiscoveryOptions = {
  readonly get: GetPage;
  /** Whether http may be asked where https fails. */
  readonly http: boolean;
};

/** A name is a path, and every part of it may cost a request. */
const DEEPEST = 16;

/**
 * Where an image may be downloaded: what the first page says that says anything, from the name itself up to its host.
 * `version` is `latest` unless a label says otherwise. Throws FetchFailed.
 */
export async function discoverImage(app: AppName, options: DiscoveryOptions): Promise<Endpoint[]> {
  const asked = { name: app.name, labels: { version: "latest", ...app.labels } };
  return await walk(app.name, options, (tags) => endpointsOf(tags, asked, options));
}

/** Where the keys of a name are. Throws FetchFailed. */
export async function discoverKeys(name: string, options: DiscoveryOptions): Promise<KeySource[]> {
  return await walk(name, options, (tags) => keySourcesOf(tags, name, options));
}

async function walk<T>(
  name: string,
  options: DiscoveryOptions,
  find: (tags: readonly Meta[]) => T[],
): Promise<T[]> {
  const parts = name.split("/");
  if (parts.length > DEEPEST) {
    throw new GantryError(
      "FetchFailed",
      `discovery failed for ${quoted(name)}: it has more than ${DEEPEST} parts`,
    );
  }
  const attempts: string[] = [];
  for (let length = parts.length; length > 0; length--) {
    const place = parts.slice(0, length).join("/");
    const page = await getPage(place, options);
    const found = page === undefined ? [] : find(readMeta(page));
    if (found.length > 0) return found;
    attempts.push(`${quoted(place)} ${page === undefined ? "has no page" : "has no tag for it"}`);
  }
  throw new GantryError("FetchFailed", `discovery failed for ${quoted(name)}: no endpoints discovered`, {
    hint: attempts.join(", "),
  });
}

const UNANSWERED: ReadonlySet<string> = new Set(["FetchFailed", "TimedOut"]);

/** https, then, where it is allowed, http. */
async function getPage(place: string, { get, http }: DiscoveryOptions): Promise<string | undefined> {
  const url = `https://${place}?ac-discovery=1`;
  if (!http) return await get(url);
  try {
    const page = await get(url);
    if (page !== undefined) return page;
  } catch (error) {
    if (!(error instanceof GantryError) || !UNANSWERED.has(error.kind)) throw error;
  }
  return await get(`http://${place}?ac-discovery=1`);
}
