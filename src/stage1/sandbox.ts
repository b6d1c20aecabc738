/** The plan of a pod's sandbox, `sandbox.json`. docs/launch-plan.md is the contract. */
import * as z from "zod";
import { IdRange, Path, PodUuid } from "./words.ts";

export const SandboxPlan = z.strictObject({
  version: z.literal(1),
  uuid: PodUuid,
  pod: z.string(),
  /** HOST_NAME_MAX of Linux. */
  hostname: z.string().min(1).max(64),
  net: z.enum(["none", "host"]),
  ipc: z.enum(["private", "host"]),
  userns: IdRange,
  socket: Path,
  grace: z.int().min(0).max(3600),
});
export type SandboxPlan = z.infer<typeof SandboxPlan>;
