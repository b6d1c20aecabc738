/** The unit set of a pod, `units.json`: one StartTransientUnit call. docs/launch-plan.md is the contract. */
import * as z from "zod";
import { AppName, Path, PodUuid, UnitName } from "./words.ts";

type Value = string | number | boolean | Value[];
const Value: z.ZodType<Value> = z.lazy(() => z.union([z.string(), z.int(), z.boolean(), z.array(Value)]));

const Property = z.tuple([z.string(), z.string().regex(/^[a-z()]+$/), Value]);

export const UnitSet = z.strictObject({
  version: z.literal(1),
  uuid: PodUuid,
  pod: z.string(),
  unit: UnitName,
  /** The unit that is the pod where that is not `unit`: an installed pod's. */
  sandbox: UnitName.optional(),
  mode: z.enum(["fail", "replace"]),
  apps: z.array(z.strictObject({ name: AppName, unit: UnitName, status: Path })).min(1),
  socket: Path,
  properties: z.array(Property),
  aux: z.array(z.tuple([UnitName, z.array(Property)])),
});
export type UnitSet = z.infer<typeof UnitSet>;
