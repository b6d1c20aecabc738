/** gantry-fetcher: one transfer. A request on standard input, events on standard output (docs/fetcher.md). */
import { exitStatus, GantryError } from "../base/errors.ts";
import type { Event } from "../inbox/protocol.ts";
import { openClient } from "../transfer/client.ts";
import { machineAuthorities } from "./authorities.ts";
import { type Conversation, openConversation, say } from "./conversation.ts";

/** The end of the process on purpose: connections and timers are of no use to anybody now. */
function finish(event: Event, status: number): never {
  say(process.stdout, event);
  process.exit(status);
}

function fail(error: unknown): never {
  if (!(error instanceof GantryError)) {
    console.error(error);
    finish(
      { event: "failed", kind: "Internal", text: "the fetcher has a fault, which the journal tells" },
      1,
    );
  }
  const { kind, message: text, hint } = error;
  finish({ event: "failed", kind, text, ...(hint === undefined ? {} : { hint }) }, exitStatus(error));
}

/** Each kind of request loads what it needs: the start of Node is much of what a small image costs. */
async function fetch(conversation: Conversation): Promise<void> {
  const { request } = conversation;
  const { proxy, limits } = request;
  const authorities = () => request.authorities ?? machineAuthorities();
  const log = (text: string) => conversation.say({ event: "log", text });
  await using client = openClient({ proxy, authorities, limits, log });
  switch (request.kind) {
    case "registry":
      return await (await import("./registry.ts")).fetchFromRegistry(client, conversation, request);
    case "archive":
    case "appc":
      return await (await import("./appc.ts")).fetchArchive(client, conversation, request);
    case "keys":
      return await (await import("./appc.ts")).fetchKeys(client, conversation, request);
  }
}

process.on("uncaughtException", fail);
openConversation(process.stdin, process.stdout, fail)
  .then(fetch)
  .then(() => finish({ event: "done" }, 0), fail);
