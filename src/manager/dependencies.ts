/** The images that an ACI depends on (appc 0.8.11, "Dependency Matching"), from the store or from elsewhere. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Dependency } from "../image/aci.ts";
import { type AppName, appNameText } from "../image/app-name.ts";
import type { ImageRecord } from "../image/record.ts";
import { storedAci } from "../store/aci.ts";
import { findAllByLabels, readRecord } from "../store/images.ts";
import { askedAs } from "../store/verdicts.ts";
import { type AciFetch, type ArrivedAci, checkName } from "./aci.ts";
import { fetchApp } from "./appc.ts";

/** An image that something needs. */
export type Asked = {
  readonly app: AppName;
  /** `sha512-…`: no other will do. */
  readonly id?: string | undefined;
  readonly size?: number | undefined;
};

const DEEPEST = 16;
const MOST = 64;

/**
 * One record for each dependency, in the manifest's order. Throws BadImage for a cycle and for more than anybody needs,
 * DigestMismatch for another image than the one demanded by id, and what fetching one throws.
 */
export async function dependenciesOf(
  fetch: AciFetch,
  { aci, chain }: Pick<ArrivedAci, "aci" | "chain">,
): Promise<ImageRecord[]> {
  const records: ImageRecord[] = [];
  for (const dependency of aci.manifest.dependencies ?? []) {
    const asked = askedBy(dependency);
    refuseEndless(fetch, { asked, chain, what: aci.what });
    records.push(await find(fetch, asked, chain));
  }
  return records;
}

function askedBy({ imageName, imageID, labels, size }: Dependency): Asked {
  const pairs = (labels ?? []).map(({ name, value }) => [name, value] as const);
  const app = { name: imageName, labels: Object.fromEntries(pairs) };
  return { app, id: imageID ?? undefined, size: size ?? undefined };
}

type Step = { readonly asked: Asked; readonly chain: readonly Asked[]; readonly what: string };

function refuseEndless({ found }: AciFetch, { asked, chain, what }: Step): void {
  const path = [...chain, asked].map(({ app }) => app.name).join(" needs ");
  if (chain.some(({ app }) => appNameText(app) === appNameText(asked.app))) {
    throw new GantryError("BadImage", `${what} depends on itself: ${path}`);
  }
  if (chain.length >= DEEPEST)
    throw new GantryError("BadImage", `${what} depends on more than ${DEEPEST} images in a row: ${path}`);
  if (found.size >= MOST) throw new GantryError("BadImage", `${what} depends on more than ${MOST} images`);
}

async function find(fetch: AciFetch, asked: Asked, chain: readonly Asked[]): Promise<ImageRecord> {
  const key = JSON.stringify([asked.id, appNameText(asked.app)]);
  const record =
    fetch.found.get(key) ?? (await storedApp(fetch, asked)) ?? (await fetchApp(fetch, asked, chain));
  checkId(record, asked);
  fetch.found.set(key, record);
  return record;
}

/** What is demanded by its id never changes; everything else is only taken from the store when the policy says so. */
export async function storedApp(fetch: AciFetch, { app, id }: Asked): Promise<ImageRecord | undefined> {
  const { store, policy, host } = fetch;
  if (id === undefined && policy === "update") return undefined;
  const records = id === undefined ? await findAllByLabels(store, app) : [await readRecord(store, id)];
  const found = records.find((one) => one?.platform.architecture === host.architecture);
  if (found === undefined) return undefined;
  const record = askedAs(found, app);
  checkName(await storedAci(store, record), app, host);
  // Each image of a pod has its own verdict; one that was accepted unsigned isn't let in by another's signature.
  return { ...record, verdict: await fetch.standing(record, appNameText(app)) };
}

/** Throws DigestMismatch unless `record` is the image that is asked for by its id. */
export function checkId(record: Pick<ImageRecord, "id">, { app, id }: Asked): void {
  if (id === undefined || record.id === id) return;
  throw new GantryError(
    "DigestMismatch",
    `the dependency ${quoted(app.name)} should have the id ${id} but has ${record.id}`,
  );
}
