/** When an image that is named, and not a file, is fetched. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";

/** new: when the store has none of the name; update: the server is asked every time; never: only the store's. */
export const PULL_POLICIES = ["new", "update", "never"] as const;
export type PullPolicy = (typeof PULL_POLICIES)[number];

/** Reads the value of `--pull-policy`. Throws Usage. */
export function parsePullPolicy(text: string): PullPolicy {
  const policy = PULL_POLICIES.find((known) => known === text);
  if (policy !== undefined) return policy;
  throw new GantryError("Usage", `${quoted(text)} is no pull policy; there is: ${PULL_POLICIES.join(", ")}`);
}
