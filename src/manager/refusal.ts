/** Refusals by the trust policy, as the journal is told of them. */
import { GantryError } from "../base/errors.ts";
import { logEvent } from "../journal/journal.ts";

export type RefusedImage = { readonly name: string; readonly digest: string; readonly uid: number };

/** Tells of `error`, if it is one. */
export async function noteRefusal(error: unknown, { name, digest, uid }: RefusedImage): Promise<void> {
  if (!(error instanceof GantryError) || error.kind !== "NotTrusted") return;
  const fields = { GANTRY_IMAGE: name, GANTRY_IMAGE_DIGEST: digest, GANTRY_UID: String(uid) };
  await logEvent("image-refused", `Refused image ${name}: ${error.message}`, fields);
}
