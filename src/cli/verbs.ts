/**
 * Every verb by name. A verb's file exports `verb` and is loaded only when the verb is used:
 * `fetch: async () => (await import("./verbs/fetch.ts")).verb`.
 */
import type { Verb } from "./verb.ts";

export const VERBS: Readonly<Record<string, () => Promise<Verb>>> = {};
