/** A pod's record, `pods/<uuid>/pod.json`: what was decided when it was prepared. docs/on-disk-format.md places it. */
import * as z from "zod";
import { AppName, IdRange, PodUuid, UnitName } from "../stage1/words.ts";

const Report = z.strictObject({
  scope: z.enum(["pod", "app"]),
  app: z.string().optional(),
  name: z.string(),
  verdict: z.enum(["enforced", "modified", "ignored"]),
  value: z.string().optional(),
  reason: z.string().optional(),
});

const RecordedApp = z.strictObject({
  name: AppName,
  unit: UnitName,
  image: z.strictObject({ id: z.string(), digest: z.string(), name: z.string().optional() }),
  /** The trust verdict the image was prepared under. */
  verdict: z.strictObject({ kind: z.string(), reason: z.string() }),
});

export const PodRecord = z.strictObject({
  version: z.literal(1),
  uuid: PodUuid,
  name: AppName.optional(),
  /** Microseconds since the epoch. */
  created: z.int(),
  unit: UnitName,
  /** The definition an installed pod was prepared from. */
  definition: z.string().optional(),
  slice: UnitName,
  net: z.enum(["none", "host"]),
  userns: IdRange,
  /** The one app that has a terminal or a stream as standard input, if any. */
  terminal: z.boolean(),
  stdin: z.boolean(),
  apps: z.array(RecordedApp).min(1),
  /** Names below layers/ that the pod needs: garbage collection keeps them. */
  layers: z.array(z.string()),
  isolators: z.array(Report),
});
export type PodRecord = z.infer<typeof PodRecord>;
