/** What can be done to images: each verb as an errand. */
import type { Call, Errand } from "../bus/objects.ts";
import type { FindCredentials } from "../config/given-credentials.ts";
import { ACTIONS } from "../interface/actions.ts";
import { fetchImage, parseInsecureOptions, parsePullPolicy, removeImage } from "../manager/images.ts";
import { verifyImage } from "../manager/verify.ts";
import { type Agent, beginOperation } from "./agent.ts";
import { watchFetch } from "./fetch-watch.ts";
import type { Progress } from "./operations.ts";

export type Source = {
  readonly source: string;
  readonly insecure: readonly string[];
  readonly pullPolicy: string | undefined;
  readonly signature?: string | undefined;
  readonly credentials: FindCredentials;
};

/** Imports an image. Throws Usage for a guard that nobody knows. */
export function fetch(agent: Agent, call: Call, { source, insecure, ...given }: Source): Errand<string> {
  const insecureOptions = parseInsecureOptions(insecure.join(","));
  const pullPolicy = given.pullPolicy === undefined ? undefined : parsePullPolicy(given.pullPolicy);
  const run = async (operation: Progress, uid: number) => {
    const { signal, progress } = watchFetch(operation, source);
    const record = await fetchImage(agent.images, {
      ...{ source, insecureOptions, pullPolicy, uid, signal, progress },
      ...{ signature: given.signature, credentials: given.credentials },
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

type Verification = {
  readonly image: NamedImage;
  readonly repair: boolean;
  readonly credentials: FindCredentials;
};

/** Compares an image with what was imported. The result is what was found, as JSON. */
export function verify(
  agent: Agent,
  call: Call,
  { image, repair, credentials }: Verification,
): Errand<string> {
  const name = image.names[0] ?? image.id;
  const run = async ({ phase, signal }: Progress, uid: number) => {
    phase("verifying");
    const verification = { image: image.id, repair, uid, credentials, signal };
    return JSON.stringify(await verifyImage(agent.images, verification));
  };
  return {
    demand: { details: { verb: "verify", image: name }, further: repair ? [ACTIONS.imageFetch] : [] },
    run: () => beginOperation(agent, call, { kind: "image.verify", target: name, run }),
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
