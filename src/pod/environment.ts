/** An app's environment (appc section 7, and Docker's habits for its images). */
import type { Variable } from "./reify.ts";

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Joins lists of variables, a later one overriding an earlier one's value in its place. */
export function mergeVariables(...lists: readonly (readonly Variable[])[]): Variable[] {
  const merged = new Map<string, string>();
  for (const { name, value } of lists.flat()) merged.set(name, value);
  return [...merged].map(([name, value]) => ({ name, value }));
}

/** What the app finds: its variables, the defaults it has no own value for, and what tells it where it is. */
export function processEnvironment(
  app: string,
  variables: readonly Variable[],
  defaults: readonly Variable[],
): string[] {
  const fixed = [
    { name: "AC_APP_NAME", value: app },
    { name: "container", value: "gantry" },
  ];
  const all = mergeVariables([{ name: "PATH", value: DEFAULT_PATH }], defaults, variables, fixed);
  return all.map(({ name, value }) => `${name}=${value}`);
}
