/** What a pod's record says, from the draft. Apart from the record's schema, which only readers need. Pure. */
import type { PodDraft } from "./draft.ts";
import { layerName } from "./plan.ts";
import type { PodRecord } from "./record.ts";

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
