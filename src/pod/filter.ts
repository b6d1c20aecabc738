/**
 * The system call filters that apps bring, compiled once while their pod is prepared: a name that libseccomp does not
 * know would otherwise fail every start of the pod, of an installed one at the next boot.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { printable, quoted } from "../base/text.ts";
import type { AppDraft, Places } from "./draft.ts";
import { hasFilter } from "./plan.ts";

const run = promisify(execFile);

/** docs/launch-plan.md: gantry-filter has written why there is no filter; with status 228 it is the filter's own fault. */
const Refusal = z.object({ code: z.number(), stdout: z.string().min(1) });
const WRONG = 228;

export type FilteredApps = {
  readonly apps: readonly Pick<AppDraft, "name" | "isolation">[];
  readonly places: Pick<Places, "libexec">;
};

/**
 * Compiles the filters of the plans in `directory`, as stage1 will. Throws BadManifest for a filter that is none, Internal
 * for one that could not be looked at and Unsupported where nothing can compile it; each names the app.
 */
export async function checkFilters({ apps, places }: FilteredApps, directory: string): Promise<void> {
  const program = join(places.libexec, "gantry-filter");
  for (const { name } of apps.filter(hasFilter)) {
    const plan = join(directory, "apps", name, "plan.json");
    await run(program, [plan], { env: {}, encoding: "latin1" }).catch((cause) => {
      throw refusalOf(name, cause);
    });
  }
}

function refusalOf(app: string, cause: unknown): GantryError {
  const { data: refusal } = Refusal.safeParse(cause);
  if (refusal !== undefined) {
    const kind = refusal.code === WRONG ? "BadManifest" : "Internal";
    return new GantryError(kind, `app ${quoted(app)}: ${printable(refusal.stdout)}`);
  }
  return new GantryError("Unsupported", `app ${quoted(app)}: gantry-filter has failed`, { cause });
}
