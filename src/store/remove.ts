/** Removal of an image: its record at once, then the layers and blobs that only it used. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { collectUnused } from "./gc.ts";
import { listRecords, type NamedImage, unlinkRecord } from "./images.ts";
import type { Store } from "./store.ts";
import { podsUsing } from "./uses.ts";

/**
 * Removes an image. Needs no free space. A pod that is prepared at the same moment either is seen here or finds
 * the image gone. Throws ImageBusy when a pod uses it or another image needs it, NoSuchImage when somebody else was faster.
 */
export async function removeImageRecord(store: Store, record: NamedImage): Promise<void> {
  const [pod, ...others] = await podsUsing(store, record.id);
  if (pod !== undefined) {
    const more = others.length === 0 ? "" : ` and ${others.length} more`;
    const message = `image ${quoted(record.names[0] ?? record.id)} is used by pod ${pod}${more}`;
    throw new GantryError("ImageBusy", message, { hint: `gantry rm ${pod} removes the pod` });
  }
  const dependent = (await listRecords(store)).find(({ dependencies }) => dependencies?.includes(record.id));
  if (dependent !== undefined) {
    const name = dependent.names[0] ?? dependent.id;
    const message = `image ${quoted(record.names[0] ?? record.id)} is needed by image ${quoted(name)}`;
    throw new GantryError("ImageBusy", message, { hint: `gantry image rm ${name} removes that image` });
  }
  if (!(await unlinkRecord(store, record))) {
    throw new GantryError("NoSuchImage", `image ${record.id} is gone already`);
  }
  await collectUnused(store);
}
