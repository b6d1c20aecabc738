/** What can be done to images: each verb as an errand. */
import type { Call, Errand } from "../bus/objects.ts";
import { ACTIONS } from "../interface/actions.ts";
import { fetchImage, parseInsecureOptions, removeImage } from "../manager/images.ts";
import { type Agent, beginOperation } from "./agent.ts";
import type { Progress } from "./operations.ts";

export type Source = { readonly source: string; readonly insecure: readonly string[] };

/** Imports an image. Throws Usage for a guard that nobody knows. */
export function fetch(agent: Agent, call: Call, { source, insecure }: Source): Errand<string> {
  const insecureOptions = parseInsecureOptions(insecure.join(","));
  const run = async ({ signal, ...progress }: Progress, uid: number) => {
    progress.phase("importing");
    const record = await fetchImage(agent.images, {
      ...{ source, insecureOptions, uid, signal },
      progress: ({ done, total, layer }) => {
        if (layer !== "") progress.log(`unpacked ${layer}`);
        if (total > 0) progress.progress(done / total);
      },
    });
    return record.id;
  };
  return {
    demand: {
      details: { verb: "fetch", image: source },
      further: insecureOptions.length > 0 ? [ACTIONS.imageSkipVerification] : [],
    },
    run: () => beginOperation(agent, call, { kind: "image.fetch", target: source, run }),
  };
}

export type NamedImage = { readonly id: string; readonly names: readonly string[] };

export function remove(agent: Agent, call: Call, { id, names }: NamedImage): Errand<string> {
  const run = async (progress: Progress) => {
    progress.phase("removing");
    return (await removeImage(agent.images, id)).id;
  };
  const work = { kind: "image.remove", target: names[0] ?? id, run };
  return {
    demand: { details: { verb: "remove", image: names[0] ?? id } },
    run: () => beginOperation(agent, call, work),
  };
}
