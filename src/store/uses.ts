/**
 * What in the store is in use. Records, pods and unfinished operations name images, layers and blobs by digest; every
 * digest in their files counts as a use, whatever key it stands under, so that no reader of a format can forget one.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { namesIn, unlessMissing } from "../base/file.ts";
import { fileNameOf } from "../image/digest.ts";
import { imageIds } from "./images.ts";
import { operationLives, referencesPath } from "./operation.ts";
import { imagePath, inboxDirectory, type Store } from "./store.ts";

/** Names `sha256-<hex>` and `sha512-<hex>` of everything in use: image ids, layers and blobs alike. */
export async function usedNames(store: Store): Promise<Set<string>> {
  const files = [...(await recordFiles(store)), ...(await referenceFiles(store)), ...(await podFiles(store))];
  const used = new Set<string>();
  for (const file of files) await addNames(used, file);
  return used;
}

/** The same of what pods name, prepared or being prepared. */
export async function namesUsedByPods(store: Store): Promise<Set<string>> {
  const used = new Set<string>();
  for (const file of await podFiles(store)) await addNames(used, file);
  return used;
}

/** The pods, by the name of their directory, whose record names this image. */
export async function podsUsing(store: Store, imageId: string): Promise<string[]> {
  const using: string[] = [];
  for (const pod of await podDirectories(store)) {
    const names = new Set<string>();
    await addNames(names, join(store.directory, "pods", pod, "pod.json"));
    if (names.has(imageId)) using.push(pod.replace(/^\.preparing-/, ""));
  }
  return using;
}

/** The pods, by the name of their directory, that mount this layer. */
export async function podsUsingLayer(store: Store, diffId: string): Promise<string[]> {
  return await podsUsing(store, fileNameOf(diffId));
}

async function recordFiles(store: Store): Promise<string[]> {
  return (await imageIds(store)).map((id) => imagePath(store, id));
}

async function referenceFiles(store: Store): Promise<string[]> {
  const files: string[] = [];
  for (const id of await namesIn(inboxDirectory(store))) {
    if (await operationLives(id)) files.push(referencesPath(join(inboxDirectory(store), id)));
  }
  return files;
}

async function podFiles(store: Store): Promise<string[]> {
  const pods = (await podDirectories(store)).map((pod) => join(store.directory, "pods", pod));
  // The stamp names the signatures that a later start judges by.
  return pods.flatMap((pod) => [join(pod, "pod.json"), join(pod, "trust.json")]);
}

/** A pod being prepared uses its images as well; one being removed no longer does. */
async function podDirectories(store: Store): Promise<string[]> {
  const names = await namesIn(join(store.directory, "pods"));
  return names.filter((name) => !name.startsWith(".") || name.startsWith(".preparing-"));
}

async function addNames(names: Set<string>, file: string): Promise<void> {
  const text = (await unlessMissing(readFile(file, "latin1"))) ?? "";
  for (const [, algorithm, hex] of text.matchAll(/\b(sha256|sha512)[-:]([0-9a-f]{64,128})\b/g)) {
    names.add(`${algorithm}-${hex}`);
  }
}
