/** Transfers for appc: an ACI by its URL or its name, and the keys of a name. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import {
  type DiscoveryOptions,
  discoverImage,
  discoverKeys,
  type Endpoint,
  type KeySource,
  signatureUrl,
} from "../discovery/discovery.ts";
import type { AppcRequest, Archived, ArchiveRequest, KeysRequest } from "../inbox/protocol.ts";
import type { Client } from "../transfer/client.ts";
import type { Document } from "../transfer/document.ts";
import { shownUrl } from "../transfer/failure.ts";
import { type AciOptions, fetchAci } from "./aci.ts";
import type { Conversation } from "./conversation.ts";
import { pagesOf } from "./pages.ts";
import { openWeb, type Web } from "./web.ts";

/** Milliseconds between two events about progress. */
const PROGRESS = 100;
const KEYS_LIMIT = 1024 * 1024;
/** All keys of a name together: they travel in one line. */
const ALL_KEYS_LIMIT = 4 * 1024 * 1024;
const UNANSWERED: ReadonlySet<string> = new Set(["FetchFailed", "TimedOut"]);

/** Carries out one request for an ACI. Throws what src/discovery and fetchAci() throw. */
export async function fetchArchive(
  client: Client,
  conversation: Conversation,
  request: ArchiveRequest | AppcRequest,
): Promise<void> {
  const web = openWeb(client, request);
  const endpoints = await endpointsFor(web, request);
  const { directory, known, size, signature } = request;
  const received = progressTeller(conversation);
  const archived = await firstOf(web, endpoints, { web, directory, known, size, signature, received });
  conversation.say(archived);
  await untilEnd(conversation);
}

async function endpointsFor(web: Web, request: ArchiveRequest | AppcRequest): Promise<Endpoint[]> {
  if (request.kind === "appc") {
    const { name, labels } = request;
    return await discoverImage({ name, labels }, searchAt(web, name));
  }
  const signature = signatureUrl(request.url);
  return [{ image: request.url, ...(signature === undefined ? {} : { signature }) }];
}

function searchAt(web: Web, name: string): DiscoveryOptions {
  return { get: pagesOf(web), http: web.allowsHttp(name.split("/")[0] ?? "") };
}

/** The first endpoint that works; when none does, what the first one failed by. */
async function firstOf(web: Web, endpoints: readonly Endpoint[], options: AciOptions): Promise<Archived> {
  const failures: GantryError[] = [];
  for (const endpoint of endpoints) {
    try {
      return await fetchAci(endpoint, options);
    } catch (error) {
      // Another server has no more room for us, and nobody waits for it.
      if (!(error instanceof GantryError) || error.kind === "StoreFull" || error.kind === "Cancelled")
        throw error;
      failures.push(error);
      web.client.log(`${shownUrl(new URL(endpoint.image))} is passed over: ${error.message}`);
    }
  }
  const [first = new GantryError("FetchFailed", "there is no endpoint"), ...others] = failures;
  if (others.length === 0) throw first;
  throw new GantryError(first.kind, `${first.message}, and ${others.length} more places fail, too`, {
    hint: others
      .map(({ message }) => message)
      .join("; ")
      .slice(0, 1000),
  });
}

function progressTeller(conversation: Conversation): (bytes: number, size: number | undefined) => void {
  let told = 0;
  return (bytes, size) => {
    if (performance.now() - told < PROGRESS && bytes !== size) return;
    told = performance.now();
    conversation.say({ event: "received", bytes, ...(size === undefined ? {} : { size }) });
  };
}

/** Carries out one request for keys; a source that fails leaves the others. Throws FetchFailed, TimedOut when all do. */
export async function fetchKeys(
  client: Client,
  conversation: Conversation,
  request: KeysRequest,
): Promise<void> {
  const web = openWeb(client, request);
  const sources = await keySources(web, request);
  const keys: { scope: string; url: string; armour: string }[] = [];
  const failures: GantryError[] = [];
  let total = 0;
  for (const { prefix, url } of sources) {
    const read = await readKeys(web, url);
    if (read instanceof GantryError) {
      failures.push(read);
      continue;
    }
    total += read.bytes.length;
    if (total > ALL_KEYS_LIMIT) {
      const message = `the keys of ${quoted(request.name)} have more than ${ALL_KEYS_LIMIT} bytes`;
      throw new GantryError("BadImage", message);
    }
    keys.push({ scope: prefix, url: read.url.href, armour: read.bytes.toString("latin1") });
  }
  if (keys.length === 0) throw noKeys(request.name, failures);
  for (const { message } of failures) client.log(`keys are left out: ${message}`);
  conversation.say({ event: "keys", keys });
  await untilEnd(conversation);
}

async function keySources(web: Web, { name, urls }: KeysRequest): Promise<KeySource[]> {
  if (urls !== undefined) return urls.map((url) => ({ prefix: name, url }));
  return await discoverKeys(name, searchAt(web, name));
}

/** What a source has, or why it can't be had. Throws BadImage for what is too long. */
async function readKeys(web: Web, url: string): Promise<Document | GantryError> {
  try {
    const document = await web.read(url, KEYS_LIMIT);
    if (document.status === 200) return document;
    return new GantryError("FetchFailed", `${shownUrl(document.url)} answers ${document.status}`);
  } catch (error) {
    if (!(error instanceof GantryError) || !UNANSWERED.has(error.kind)) throw error;
    return error;
  }
}

function noKeys(name: string, failures: readonly GantryError[]): GantryError {
  const [first] = failures;
  const reasons = failures.map(({ message }) => message).join(", ");
  return new GantryError(
    first?.kind ?? "FetchFailed",
    `no key of ${quoted(name)} can be had: ${reasons}`,
    first?.hint === undefined ? {} : { hint: first.hint },
  );
}

/** There are no layers to want: the manager only says that it has seen the answer. */
async function untilEnd({ commands }: Conversation): Promise<void> {
  for await (const command of commands) {
    if ("get" in command) throw new GantryError("BadManifest", "layers are wanted of what has none");
  }
}
