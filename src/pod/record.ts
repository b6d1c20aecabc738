/** A pod's record, `pods/<uuid>/pod.json`: what was decided when it was prepared. docs/on-disk-format.md places it. */
import * as z from "zod";
import { AppName, IdRange, PodUuid, UnitName } from "../stage1/words.ts";
import type { PodDraft } from "./draft.ts";
import { layerName } from "./plan.ts";

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

/** The record of a pod that is being prepared at `created`. Pure. */
export function podRecord(
  pod: PodDraft,
  { created, definition }: { readonly created: number; readonly definition?: string },
): PodRecord {
  return {
    version: 1,
    uuid: pod.uuid,
    ...(pod.manifest.name === undefined ? {} : { name: pod.manifest.name }),
    created,
    unit: pod.units.sandbox,
    ...(definition === undefined ? {} : { definition }),
    slice: pod.units.slice,
    net: pod.net,
    userns: pod.userns,
    terminal: pod.manifest.apps.some((app) => app.terminal),
    stdin: pod.manifest.apps.some((app) => app.stdin === "stream"),
    apps: pod.apps.map((app) => recordedApp(pod, app)),
    layers: [...new Set(pod.apps.flatMap((app) => app.image.layers.map((layer) => layerName(layer.diffId))))],
    isolators: [pod.isolation, ...pod.apps.map((app) => app.isolation)].flatMap(({ report }) => [...report]),
  };
}

function recordedApp(
  pod: PodDraft,
  { name, image, manifest }: PodDraft["apps"][number],
): PodRecord["apps"][number] {
  const imageName = manifest.image.name;
  return {
    name,
    unit: pod.units.app(name),
    image: { id: image.id, digest: image.digest, ...(imageName === undefined ? {} : { name: imageName }) },
    verdict: { kind: image.verdict.kind, reason: image.verdict.reason },
  };
}
