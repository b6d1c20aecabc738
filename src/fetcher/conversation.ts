/** The fetcher's side of the conversation with the manager: lines in, lines out (docs/fetcher.md). */
import type { Readable, Writable } from "node:stream";
import type * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { Command, type Event, LONGEST_LINE, Request } from "../inbox/protocol.ts";

export type Conversation = {
  readonly request: Request;
  /** What the manager says after its request; ends with its `end`. */
  readonly commands: AsyncIterable<Command>;
  say(event: Event): void;
};

/** Long enough for any sentence; what a server sends may be in it. */
const LONGEST_LOG = 2000;

/**
 * Reads the request. From then on `gone` is called when the manager is no longer there or says what can't be understood,
 * at whatever the fetcher is. Throws BadManifest for a request that can't be understood.
 */
export async function openConversation(
  input: Readable,
  output: Writable,
  gone: (error: GantryError) => void,
): Promise<Conversation> {
  const lines = readLines(input);
  const first = await lines.next();
  if (first.done === true) throw new GantryError("Cancelled", "the manager said nothing");
  return {
    request: understood(Request, first.value, "the request"),
    commands: readCommands(lines, gone),
    say: (event) => say(output, event),
  };
}

/** Writes one event as a line. */
export function say(output: Writable, event: Event): void {
  const short = event.event === "log" ? { ...event, text: event.text.slice(0, LONGEST_LOG) } : event;
  output.write(`${JSON.stringify(short)}\n`);
}

/** The lines of a stream. Throws BadManifest for one that is too long. */
async function* readLines(input: Readable): AsyncGenerator<string> {
  let rest = "";
  input.setEncoding("utf8");
  for await (const chunk of input) {
    const lines: string[] = chunk.split("\n");
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? "";
    yield* lines;
    if (rest.length > LONGEST_LINE) {
      throw new GantryError("BadManifest", "a line of the manager's is too long");
    }
  }
  if (rest !== "") yield rest;
}

/** Reads on in the background, so that the end of input is noticed at once. */
function readCommands(
  lines: AsyncGenerator<string>,
  gone: (error: GantryError) => void,
): AsyncIterable<Command> {
  const queue: Command[] = [];
  let wake = () => {};
  const pump = async () => {
    for await (const line of lines) {
      queue.push(understood(Command, line, "a command"));
      wake();
      if ("end" in (queue.at(-1) ?? {})) return;
    }
    throw new GantryError("Cancelled", "the manager is gone");
  };
  pump().catch(gone);
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const command = queue.shift();
        if (command === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else if ("end" in command) return;
        else yield command;
      }
    },
  };
}

function understood<T>(schema: z.ZodType<T>, line: string, what: string): T {
  const result = schema.safeParse(parsed(line));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  // Its text is not repeated: credentials may be in it.
  const message = `${what} is not understood at ${quoted(issue?.path.join(".") ?? "")}`;
  throw new GantryError("BadManifest", message);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
