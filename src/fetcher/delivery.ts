/** Handing layers on: what the manager asks for, a few at a time, each into its FIFO. */
import { join } from "node:path";
import type { Wanted } from "../inbox/protocol.ts";
import type { Conversation } from "./conversation.ts";
import { openFifo } from "./fifo.ts";

export type Stream = AsyncIterable<Buffer> & {
  /** Who it comes from, once it has begun. */
  readonly host: () => string;
};

export type DeliveryOptions = {
  /** Opens what is wanted as a stream of exactly its size. */
  readonly open: (wanted: Wanted) => Stream;
};

const AT_A_TIME = 3;
/** Milliseconds between two events about one layer. */
const PROGRESS = 100;

/** Delivers until the manager wants no more and all is delivered. The first failure ends it. */
export async function deliver(conversation: Conversation, { open }: DeliveryOptions): Promise<void> {
  const take = slots(AT_A_TIME);
  await new Promise<void>((resolve, reject) => {
    const deliveries: Promise<void>[] = [];
    const all = async () => {
      for await (const command of conversation.commands) {
        if (!("get" in command)) continue;
        for (const wanted of command.get) {
          const delivery = take(() => deliverOne(conversation, wanted, open(wanted)));
          delivery.catch(reject);
          deliveries.push(delivery);
        }
      }
      await Promise.all(deliveries);
    };
    all().then(resolve, reject);
  });
}

async function deliverOne(conversation: Conversation, wanted: Wanted, stream: Stream): Promise<void> {
  const { digest, into } = wanted;
  await using sink = await openFifo(join(conversation.request.directory, into));
  let bytes = 0;
  let told = performance.now();
  for await (const chunk of stream) {
    await sink.write(chunk);
    bytes += chunk.length;
    if (performance.now() - told < PROGRESS) continue;
    told = performance.now();
    conversation.say({ event: "progress", digest, bytes });
  }
  await sink.end();
  conversation.say({ event: "layer", digest, host: stream.host() });
}

/** Runs what it is given, at most `count` at a time, in order. */
function slots(count: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = count;
  return async (work) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free--;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
