/** The verdicts of an image, one for each of its names (docs/trust.md). Pure. */
import { type AppName, appNameText } from "../image/app-name.ts";
import type { ImageRecord, Verdict } from "../image/record.ts";

/** A new record with the names that the image had before, and what they may run by. */
export function withNamesOf(before: ImageRecord | undefined, record: ImageRecord): ImageRecord {
  const names = [...new Set([...record.names, ...(before?.names ?? [])])];
  const verdicts = names.flatMap((name) => {
    const verdict = betterOf(verdictBy(record, name), verdictBy(before, name));
    return verdict === undefined ? [] : [{ name, verdict }];
  });
  return { ...record, names, verdicts };
}

/** A verdict that was checked stays when the new one was not, whose word is for that fetch alone. */
export function betterOf<V extends Verdict | undefined>(now: V, before: Verdict | undefined): V | Verdict {
  return now === undefined || now.kind === "insecure" ? (before ?? now) : now;
}

/** The verdict that was given for a name; undefined for one that the image has not. */
export function verdictBy(record: ImageRecord | undefined, name: string): Verdict | undefined {
  return record?.verdicts.find((one) => one.name === name)?.verdict;
}

/**
 * An ACI with its verdict for the name as it is asked for now. It has one name, and who fetched it may have asked for it with
 * another version or other labels, of which a rule may be.
 */
export function askedAs(record: ImageRecord, app: AppName): ImageRecord {
  const { kind, verdict } = record;
  if (kind !== "appc" || verdict.kind === "insecure") return record;
  return { ...record, verdict: { ...verdict, reference: appNameText(app) } };
}
