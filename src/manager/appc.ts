/** The way of an ACI from another machine into the store: asked for, unpacked, judged, kept. */
import { stat } from "node:fs/promises";
import { GantryError } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import { quoted } from "../base/text.ts";
import type { AppName } from "../image/app-name.ts";
import type { ImageRecord } from "../image/record.ts";
import { keepAci, storedAci, unpackAci } from "../store/aci.ts";
import { findAllByLabels, listRecords } from "../store/images.ts";
import { requireVerdict } from "../trust/verdict.ts";
import { type AciFetch, acceptAci, appNameText, hostLabels } from "./aci.ts";
import { type Asked, dependenciesOf } from "./dependencies.ts";
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
  const stored = await findAllByLabels(fetch.operation.store, asked.app);
  const place = { kind: "name", app: withDefaults(asked.app, fetch) } as const;
  return await ask(fetch, { place, source, asked, chain, stored });
}

/** Fetches the image at a URL. Throws as fetchApp(). */
export async function fetchUrl(fetch: AciFetch, url: string): Promise<ImageRecord> {
  const stored = await recordsOfUrl(fetch, url);
  return await ask(fetch, { place: { kind: "url", url }, source: url, chain: [], stored });
}

async function recordsOfUrl({ operation }: AciFetch, url: string): Promise<ImageRecord[]> {
  return (await listRecords(operation.store)).filter(({ remote }) => remote?.url === url);
}

/** Templates want to know for which machine, and most images are for one. */
function withDefaults({ name, labels }: AppName, { host }: AciFetch): AppName {
  return { name, labels: { ...hostLabels(host), ...labels } };
}

async function ask(fetch: AciFetch, question: Question): Promise<ImageRecord> {
  const { place, source, asked, stored } = question;
  if (fetch.policy === "never") throw notFound(source);
  const known = stored.filter((record) => isAccepted(fetch, record, source));
  const answer = await fetch.transfer({
    place,
    known: known.flatMap(({ remote }) => remote ?? []),
    size: asked?.size,
    signature: !fetch.insecureOptions.includes("image"),
    signal: fetch.signal,
  });
  if (answer.kind === "archive") return await keep(fetch, question, answer);
  const record = known.find(({ remote }) => remote?.url === answer.remote.url);
  if (record === undefined)
    throw new GantryError("FetchFailed", `the fetcher says that ${quoted(answer.remote.url)} is unchanged`);
  return await renew(fetch, question, { record, answer });
}

/** Of an image that is in the store without being allowed to run, nothing is reused: it is judged as if it were new. */
function isAccepted({ insecureOptions }: AciFetch, { verdict }: ImageRecord, source: string): boolean {
  try {
    requireVerdict(verdict, { source, insecureOptions });
    return true;
  } catch (error) {
    if (error instanceof GantryError && error.kind === "NotTrusted") return false;
    throw error;
  }
}

type Archive = Extract<Transferred, { kind: "archive" }>;

async function keep(
  fetch: AciFetch,
  question: Question,
  { path, remote, signatures }: Archive,
): Promise<ImageRecord> {
  const { operation, unpacker, host, signal } = fetch;
  const { source, asked } = question;
  const extent = { path, offset: 0, length: (await stat(path)).size };
  const part = `aci-${randomHex(4)}`;
  const aci = await unpackAci(operation, { extent }, { unpacker, what: quoted(source), part, signal });
  const self = asked ?? { app: { name: aci.manifest.name, labels: {} } };
  const chain = [...question.chain, self];
  const app = asked === undefined ? {} : { asked: asked.app };
  const acceptance = await acceptAci(fetch, {
    aci,
    transport: "appc",
    path,
    source,
    signatures,
    remote,
    chain,
    ...app,
  });
  return await keepAci(operation, { aci, acceptance }, { unpacker, source, host, signal });
}

/** The image is the same; what it depends on may not be, and the server was asked just now. */
async function renew(
  fetch: AciFetch,
  { source, asked, chain }: Question,
  { record, answer }: { readonly record: ImageRecord; readonly answer: Transferred },
): Promise<ImageRecord> {
  const { operation, unpacker, host, signal } = fetch;
  const aci = await storedAci(operation.store, record);
  const self = asked ?? { app: { name: aci.manifest.name, labels: {} } };
  const dependencies = await dependenciesOf(fetch, { aci, chain: [...chain, self] });
  const acceptance = { verdict: record.verdict, dependencies, remote: answer.remote };
  return await keepAci(operation, { aci, acceptance }, { unpacker, source, host, signal });
}

function notFound(source: string): GantryError {
  return new GantryError("NoSuchImage", `there is no image ${quoted(source)} in the store`, {
    hint: "--pull-policy=never forbids to look elsewhere",
  });
}
