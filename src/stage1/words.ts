/** Words that the three documents of docs/launch-plan.md share. */
import * as z from "zod";

/** An absolute path without `.` and `..`, that a C program can take. */
export const Path = z
  .string()
  .regex(/^(?!.*\/\.{1,2}(?:\/|$))\/[^\0]*$/, "not an absolute path without . and ..");
export const PodUuid = z.string().regex(/^[0-9a-f]{32}$/, "not 32 hex digits");
/** ACName of the appc specification, which fits into a unit's name and a file's. */
export const AppName = z
  .string()
  .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, "not an ACName")
  .max(200);
export const UnitName = z
  .string()
  .regex(/^[A-Za-z0-9:_.\\@-]+\.(?:service|slice)$/, "not a unit name")
  .max(255);
export const ImageDigest = z.string().regex(/^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/, "not a digest");

/** A pod's user namespace: an own range of ids, or the host's. */
export const IdRange = z.discriminatedUnion("mode", [
  z.strictObject({ mode: z.literal("pod"), base: z.int().positive(), size: z.literal(65536) }),
  z.strictObject({ mode: z.literal("host") }),
]);
export type IdRange = z.infer<typeof IdRange>;
