/** Removal of an image: its record at once, then the layers and blobs that only it used. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { ImageRecord } from "../image/record.ts";
import { collectUnused } from "./gc.ts";
import { listRecords, type NamedImage, unlinkRecord } from "./images.ts";
import { removeJudgements } from "./judgement.ts";
import type { Store } from "./store.ts";
import { podsUsing } from "./uses.ts";

/**
 * Removes an image. Needs no free space. A pod that is prepared at the same moment either is seen here or finds
 * the image gone. Throws ImageBusy when a pod uses it or another image needs it, NoSuchImage when somebody else was faster.
 */
export async function removeImageRecord(store: Store, record: NamedImage): Promise<void> {
  await unlinkImage(store, record);
  await removeRemains(store, (id) => id === record.id);
}

/** What images leave whose records have gone, `isGone` telling which. Whoever is killed before leaves it to the next collection. */
export async function removeRemains(store: Store, isGone: (id: string) => boolean): Promise<void> {
  await removeJudgements(store, isGone);
  await collectUnused(store);
}

/** Removes an image's record and names only. Throws the same. */
export async function unlinkImage(store: Store, record: NamedImage): Promise<void> {
  const [pod, ...others] = await podsUsing(store, record.id);
  if (pod !== undefined) {
    const more = others.length === 0 ? "" : ` and ${others.length} more`;
    const message = `image ${quoted(record.names[0] ?? record.id)} is used by pod ${pod}${more}`;
    throw new GantryError("ImageBusy", message, { hint: `gantry rm ${pod} removes the pod` });
  }
  const dependent = await dependentOf(store, record);
  if (dependent !== undefined) {
    const name = dependent.names[0] ?? dependent.id;
    const message = `image ${quoted(record.names[0] ?? record.id)} is needed by image ${quoted(name)}`;
    throw new GantryError("ImageBusy", message, { hint: `gantry image rm ${name} removes that image` });
  }
  if (!(await unlinkRecord(store, record))) {
    throw new GantryError("NoSuchImage", `image ${record.id} is gone already`);
  }
}

/** An image that needs this one, which only an ACI can be. */
async function dependentOf(store: Store, { id, kind }: NamedImage): Promise<ImageRecord | undefined> {
  if (kind !== undefined && kind !== "appc") return undefined;
  return (await listRecords(store)).find(({ dependencies }) => dependencies?.includes(id));
}
