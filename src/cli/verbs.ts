/**
 * Every verb by name. A verb's file exports `verb` and is loaded only when the verb is used:
 * `fetch: async () => (await import("./verbs/fetch.ts")).verb`.
 */
import type { Verb } from "./verb.ts";

export const VERBS: Readonly<Record<string, () => Promise<Verb>>> = {
  fetch: async () => (await import("./verbs/fetch.ts")).verb,
  "image cat-manifest": async () => (await import("./verbs/image-cat-manifest.ts")).verb,
  "image inspect": async () => (await import("./verbs/image-inspect.ts")).verb,
  "image list": async () => (await import("./verbs/image-list.ts")).verb,
  "image rm": async () => (await import("./verbs/image-rm.ts")).verb,
};
