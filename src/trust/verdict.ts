/** Whether an image may run, and why (DESIGN section 6). */
import { GantryError } from "../base/errors.ts";
import { quoted, withoutSecrets } from "../base/text.ts";
import type { Verdict } from "../image/verdict.ts";
import { acceptHint, shellWord, uncheckedBy } from "./refusal.ts";

/** Checks an operator may switch off, by the words of `--insecure-options`. */
export const INSECURE_OPTIONS = ["image", "tls", "http"] as const;
export type InsecureOption = (typeof INSECURE_OPTIONS)[number];

type Asked = {
  /** The argument that names the image, in its absolute form. */
  readonly source: string;
  /** What it was fetched by: to be fetched once more, and judged. */
  readonly origin?: string | undefined;
  /** The command that takes it without a check, if that is not to run `source`. */
  readonly unchecked?: string | undefined;
  readonly insecureOptions: readonly InsecureOption[];
};

/** The verdict of an operator who switched the check off. */
export function insecureVerdict(uid: number): Verdict {
  const reason = "unchecked, accepted by --insecure-options=image";
  return { kind: "insecure", reason, time: Date.now() * 1000, uid };
}

/**
 * Holds a verdict against what the operator says now: an image that was accepted unsigned does not become trusted by
 * lying in the store. Throws NotTrusted, with the commands that would allow it.
 */
export function requireVerdict(
  verdict: Verdict,
  { source, origin, unchecked = uncheckedBy("run", source), insecureOptions }: Asked,
): void {
  if (verdict.kind !== "insecure" || insecureOptions.includes("image")) return;
  const checked =
    origin === undefined ? "" : `to have it checked: gantry fetch ${shellWord(withoutSecrets(origin))}; `;
  throw new GantryError("NotTrusted", `image ${quoted(source)} is in the store without a signature`, {
    hint: `${checked}${acceptHint(unchecked)}`,
  });
}

/** Reads the value of `--insecure-options`. Throws Usage. */
export function parseInsecureOptions(text: string): InsecureOption[] {
  const words = text.split(",").filter((word) => word !== "" && word !== "none");
  return words.map((word) => {
    const option = INSECURE_OPTIONS.find((known) => known === word);
    if (option !== undefined) return option;
    throw new GantryError("Usage", `${quoted(word)} is no insecure option`, {
      hint: `known are none, ${INSECURE_OPTIONS.join(", ")}`,
    });
  });
}
