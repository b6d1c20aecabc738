/** The way of an ACI from another machine into the store: asked for, unpacked, judged, kept. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { type AppName, appNameText } from "../image/app-name.ts";
import { fileNameOf } from "../image/digest.ts";
import type { ImageRecord } from "../image/record.ts";
import { keepAci, storedAci, unpackAci } from "../store/aci.ts";
import { findAllByLabels, listRecords } from "../store/images.ts";
import { beginOperation, type Operation } from "../store/operation.ts";
import { type AciFetch, acceptAci, hostLabels } from "./aci.ts";
import { type Asked, checkId, dependenciesOf } from "./dependencies.ts";
import type { Place, Transferred } from "./transfer.ts";

/** What is asked for, and everything that follows from it. */
type Question = {
  readonly place: Place;
  /** The argument that means it. */
  readonly source: string;
  readonly asked?: Asked;
  readonly chain: readonly Asked[];
  /** What the store has of it, the newest first. */
  readonly stored: readonly ImageRecord[];
};

/** Fetches an image by its name. `chain` is what depends on it. Throws what a transfer, acceptAci() and keepAci() throw. */
export async function fetchApp(
  fetch: AciFetch,
  asked: Asked,
  chain: readonly Asked[] = [],
): Promise<ImageRecord> {
  const source = appNameText(asked.app);
  const stored = await findAllByLabels(fetch.store, asked.app);
  const place = { kind: "name", app: withDefaults(asked.app, fetch) } as const;
  return await ask(fetch, { place, source, asked, chain, stored });
}

/** Fetches the image at a URL, unless the policy is content with the store's. Throws as fetchApp(). */
export async function fetchUrl(fetch: AciFetch, url: string): Promise<ImageRecord> {
  const stored = await recordsOfUrl(fetch, url);
  const [newest] = stored;
  if (fetch.policy !== "update" && newest !== undefined) {
    return { ...newest, verdict: await fetch.standing(newest, url) };
  }
  return await ask(fetch, { place: { kind: "url", url }, source: url, chain: [], stored });
}

async function recordsOfUrl({ store }: AciFetch, url: string): Promise<ImageRecord[]> {
  return (await listRecords(store)).filter(({ remote }) => remote?.url === url);
}

/** Templates want to know for which machine, and most images are for one. */
function withDefaults({ name, labels }: AppName, { host }: AciFetch): AppName {
  return { name, labels: { ...hostLabels(host), ...labels } };
}

async function ask(fetch: AciFetch, question: Question): Promise<ImageRecord> {
  const { place, source, asked } = question;
  if (fetch.policy === "never") throw notFound(source);
  // Each image has one of its own: a fetcher writes into it, and what it depends on has another.
  await using operation = await beginOperation(fetch.store);
  const known = await acceptedOf(fetch, question);
  const answer = await fetch.transfer(operation, {
    place,
    known: known.flatMap(({ remote }) => remote ?? []),
    size: asked?.size,
    signature: !fetch.insecureOptions.includes("image"),
    signal: fetch.signal,
  });
  if (answer.kind === "archive") return await keep({ ...fetch, operation }, question, answer);
  const record = known.find(({ remote }) => remote?.url === answer.remote.url);
  if (record === undefined)
    throw new GantryError("FetchFailed", `the fetcher says that ${quoted(answer.remote.url)} is unchanged`);
  return await renew({ ...fetch, operation }, question, { record, answer });
}

/** Of an image that may not run by the keys and rules of now nothing is reused: it is judged as if it were new. */
async function acceptedOf(fetch: AciFetch, { stored, source, asked }: Question): Promise<ImageRecord[]> {
  const accepted: ImageRecord[] = [];
  for (const record of stored) {
    if (record.remote === undefined || !hasSize(record, asked)) continue;
    try {
      accepted.push({ ...record, verdict: await fetch.standing(record, source) });
    } catch (error) {
      if (!(error instanceof GantryError) || error.kind !== "NotTrusted") throw error;
    }
  }
  return accepted;
}

/** Another size was promised: then it is transferred again, and refused for that. */
function hasSize({ layers }: ImageRecord, asked: Asked | undefined): boolean {
  return asked?.size === undefined || layers.at(-1)?.size === asked.size;
}

type Keeping = AciFetch & { readonly operation: Operation };
type Archive = Extract<Transferred, { kind: "archive" }>;

async function keep(
  fetch: Keeping,
  question: Question,
  { extent, remote, signatures }: Archive,
): Promise<ImageRecord> {
  const { operation, unpacker, tools, host, signal } = fetch;
  const { source, asked } = question;
  const aci = await unpackAci(operation, { extent }, { unpacker, what: quoted(source), part: "aci", signal });
  if (asked !== undefined) checkId({ id: fileNameOf(aci.digest) }, asked);
  const self = asked ?? { app: { name: aci.manifest.name, labels: {} } };
  const chain = [...question.chain, self];
  const app = asked === undefined ? {} : { asked: asked.app };
  const acceptance = await acceptAci(fetch, {
    aci,
    transport: "appc",
    path: extent.path,
    source,
    signatures,
    remote,
    chain,
    ...app,
  });
  return await keepAci(operation, { aci, acceptance }, { unpacker, tools, source, host, signal });
}

/** The image is the same; what it depends on may not be, and the server was asked just now. */
async function renew(
  fetch: Keeping,
  { source, asked, chain }: Question,
  { record, answer }: { readonly record: ImageRecord; readonly answer: Transferred },
): Promise<ImageRecord> {
  const { operation, unpacker, tools, host, signal } = fetch;
  const aci = await storedAci(fetch.store, record);
  const self = asked ?? { app: { name: aci.manifest.name, labels: {} } };
  const dependencies = await dependenciesOf(fetch, { aci, chain: [...chain, self] });
  const acceptance = { verdict: record.verdict, dependencies, remote: answer.remote };
  return await keepAci(operation, { aci, acceptance }, { unpacker, tools, source, host, signal });
}

function notFound(source: string): GantryError {
  return new GantryError("NoSuchImage", `there is no image ${quoted(source)} in the store`, {
    hint: "--pull-policy=never forbids to look elsewhere",
  });
}
