/** By which verdict an image in the store may run now: lying there makes nothing trusted. */
import { GantryError } from "../base/errors.ts";
import type { ImageRecord, Verdict } from "../image/record.ts";
import { readRecord } from "../store/images.ts";
import { keepJudgement, lastJudgement } from "../store/judgement.ts";
import type { Moment } from "../trust/moment.ts";
import { type InsecureOption, insecureVerdict, requireVerdict } from "../trust/verdict.ts";
import type { Local } from "./local.ts";
import { noteRefusal } from "./refusal.ts";

export type Wish = {
  /** The argument that names the image. */
  readonly source: string;
  readonly insecureOptions: readonly InsecureOption[];
  readonly uid: number;
  /** Ids of images that the operator accepted without a check before, for this very pod. */
  readonly accepted: readonly string[];
  /** The command that accepts them so, if that is not to run one by its name. */
  readonly unchecked?: string | undefined;
  readonly moment: Moment;
};

/** The image and those it contains, each with the verdict it may run by now. Throws NotTrusted, BadConfig, NoSuchImage. */
export async function withStanding(
  local: Local,
  record: ImageRecord,
  wish: Wish,
): Promise<[ImageRecord, ...ImageRecord[]]> {
  const whole = { ...record, verdict: await standingOf(local, record, wish) };
  const parts: ImageRecord[] = [];
  for (const part of await dependenciesOf(local, record)) {
    parts.push({ ...part, verdict: await standingOf(local, part, wish) });
  }
  return [whole, ...parts];
}

/** Notes that an image was judged a moment ago, when it came. */
export async function justJudged(local: Local, record: ImageRecord, moment: Moment): Promise<void> {
  const { verdict } = record;
  if (verdict.kind === "insecure") return;
  await keepJudgement({ directory: local.paths.data }, { record, verdict, moment });
}

async function dependenciesOf(local: Local, { dependencies = [] }: ImageRecord): Promise<ImageRecord[]> {
  const records: ImageRecord[] = [];
  for (const id of dependencies) {
    const record = await readRecord({ directory: local.paths.data }, id);
    if (record === undefined)
      throw new GantryError("NoSuchImage", `image ${id}, which others contain, is gone`);
    records.push(record);
  }
  return records;
}

async function standingOf(local: Local, record: ImageRecord, wish: Wish): Promise<Verdict> {
  const accepted = wish.accepted.includes(record.id) || wish.insecureOptions.includes("image");
  if (record.verdict.kind === "insecure") {
    if (!accepted) requireVerdict(record.verdict, { ...wish, origin: record.source });
    return record.verdict;
  }
  try {
    return await judged(local, record, wish);
  } catch (error) {
    if (!(error instanceof GantryError) || error.kind !== "NotTrusted") throw error;
    if (accepted) return insecureVerdict(wish.uid);
    const name = record.names[0] ?? record.id;
    await noteRefusal(error, { name, digest: record.digest, uid: wish.uid });
    throw error;
  }
}

async function judged(local: Local, record: ImageRecord, { moment, unchecked }: Wish): Promise<Verdict> {
  const store = { directory: local.paths.data };
  const before = await lastJudgement(store, record, moment);
  if (before !== undefined) return before;
  const { judgeAgain } = await import("./trust-engine.ts");
  const verdict = await judgeAgain(local, { record, verdict: record.verdict, unchecked });
  await keepJudgement(store, { record, verdict, moment });
  return verdict;
}
