/** What each kind of error means, as docs/errors.md has it, which test/dist/errors.test.ts holds against the kinds. */
import { readFileSync } from "node:fs";
import type { ErrorKind } from "../../src/base/errors.ts";

const ROW = /^\| `(\w+)` \| \d+ \| (?:yes|no) \| ([^|]+) \|$/gm;

const rows = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8").matchAll(ROW);
const meanings = new Map([...rows].map(([, kind = "", meaning = ""]) => [kind, meaning]));

/** One sentence for people. */
export function meaningOf(kind: ErrorKind): string {
  const meaning = meanings.get(kind);
  if (meaning === undefined) throw new Error(`docs/errors.md has no ${kind}`);
  return `${meaning.slice(0, 1).toUpperCase()}${meaning.slice(1)}.`;
}
