/** What the keys and rules of now refuse: the images of a scope, and the pods that rely on them. */
import { GantryError } from "../base/errors.ts";
import type { ImageRecord, Verdict } from "../image/record.ts";
import { podEntries } from "../pod/layout.ts";
import { podStatuses } from "../pod/status.ts";
import { readTrustStamp } from "../pod/trust-stamp.ts";
import { listRecords } from "../store/images.ts";
import { scopeFit } from "../trust/scope.ts";
import type { Local } from "./local.ts";
import { judgeAgain } from "./trust-engine.ts";
import type { Affected } from "./trust-verbs.ts";

type Judged = Exclude<Verdict, { kind: "insecure" }>;

/** Judges every image anew whose name lies in one of `scopes`; one that nobody checks is not about keys or rules. */
export async function affectedBy(local: Local, scopes: readonly string[]): Promise<Affected> {
  const records = await listRecords({ directory: local.paths.data });
  const reasons = new Map<string, Promise<string | undefined>>();
  const reasonFor = (record: ImageRecord, verdict: Judged) => {
    const key = JSON.stringify([record.id, verdict]);
    const reason = reasons.get(key) ?? refusalOf(local, record, verdict);
    reasons.set(key, reason);
    return reason;
  };
  const images: Affected["images"][number][] = [];
  for (const record of records) {
    for (const verdict of verdictsOf(record)) {
      if (!concerns(verdict, scopes)) continue;
      const reason = await reasonFor(record, verdict);
      if (reason !== undefined) images.push({ id: record.id, name: verdict.reference, reason });
    }
  }
  return { images, pods: await affectedPods(local, { scopes, records, reasonFor }) };
}

/** One for each name, and that of who asks by the id, which may be of a name that means another image by now. */
function verdictsOf({ verdict, verdicts }: ImageRecord): Verdict[] {
  const all = [verdict, ...verdicts.map((one) => one.verdict)];
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

function concerns(verdict: Verdict, scopes: readonly string[]): verdict is Judged {
  return verdict.kind !== "insecure" && scopes.some((scope) => scopeFit(scope, verdict) !== undefined);
}

async function refusalOf(local: Local, record: ImageRecord, verdict: Judged): Promise<string | undefined> {
  try {
    await judgeAgain(local, { record, verdict });
    return undefined;
  } catch (error) {
    if (error instanceof GantryError) return error.message;
    throw error;
  }
}

type Search = {
  readonly scopes: readonly string[];
  readonly records: readonly ImageRecord[];
  reasonFor(record: ImageRecord, verdict: Judged): Promise<string | undefined>;
};

async function affectedPods(local: Local, { scopes, records, reasonFor }: Search): Promise<Affected["pods"]> {
  const pods: Affected["pods"][number][] = [];
  const entries = (await podEntries(local.paths)).filter(({ phase }) => phase === "prepared");
  for (const entry of entries) {
    const stamp = await readTrustStamp(entry.directory);
    for (const { id, verdict } of stamp?.images ?? []) {
      const record = records.find((one) => one.id === id);
      if (record === undefined || !concerns(verdict, scopes)) continue;
      const reason = await reasonFor(record, verdict);
      const [status] = reason === undefined ? [] : await podStatuses([entry], local.bus);
      if (reason === undefined || status === undefined) continue;
      const { uuid, name, state } = status;
      pods.push({ ...{ uuid, state, image: id, reason }, ...(name === undefined ? {} : { name }) });
      break;
    }
  }
  return pods;
}
