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
import type { PodDraft } from "./draft.ts";
import { hasFilter } from "./plan.ts";

const run = promisify(execFile);

/** docs/launch-plan.md: with this status gantry-filter has written why the plan's filter is none. */
const Refusal = z.object({ code: z.literal(228), stdout: z.string() });

/** Compiles the filters of the plans in `directory`, as stage1 will. Throws BadManifest, which names the app, and Unsupported. */
export async function checkFilters({ apps, places }: PodDraft, directory: string): Promise<void> {
  const program = join(places.libexec, "gantry-filter");
  for (const { name } of apps.filter(hasFilter)) {
    const plan = join(directory, "apps", name, "plan.json");
    await run(program, [plan], { env: {}, encoding: "latin1" }).catch((cause) => {
      throw refusalOf(name, cause);
    });
  }
}

function refusalOf(app: string, cause: unknown): GantryError {
  const refusal = Refusal.safeParse(cause);
  if (refusal.success) {
    return new GantryError("BadManifest", `app ${quoted(app)}: ${printable(refusal.data.stdout)}`);
  }
  return new GantryError("Unsupported", `app ${quoted(app)}: gantry-filter has failed`, { cause });
}
