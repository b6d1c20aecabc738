/** One JSON document a line, from a process that nobody trusts. */
import type { Readable } from "node:stream";
import { GantryError } from "../base/errors.ts";

/** Calls `onLine` for every line of at most `longest` bytes; resolves at the end. Throws FetchFailed for a longer one. */
export async function readLines(
  stream: Readable,
  longest: number,
  onLine: (line: string) => void,
): Promise<void> {
  let held: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    let rest: Buffer = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      onLine(Buffer.concat([...held, rest.subarray(0, end)]).toString());
      rest = rest.subarray(end + 1);
      held = [];
      size = 0;
    }
    held.push(rest);
    size += rest.length;
    if (size > longest)
      throw new GantryError("FetchFailed", `the fetcher wrote a line of over ${longest} bytes`);
  }
}
