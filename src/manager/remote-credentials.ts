/**
 * Credentials of a caller who is not root: the agent reads nobody's files, so they are looked up here, as the caller, and go along
 * with the one call that may need them.
 */
import * as z from "zod";
import { callMethod } from "../bus/client.ts";
import { callerCredentials, type Environment } from "../config/caller-files.ts";
import { entryOf, type GivenCredentials } from "../config/given-credentials.ts";
import { parseImageReference, repositoryOf } from "../image/reference.ts";
import type { Repository } from "../image/repository.ts";
import { MANAGER } from "../interface/manager.ts";
import type { AgentLink } from "./agent-link.ts";
import type { PrepareOptions } from "./manager.ts";

/** As the Manager's methods take it. */
export type CredentialsOption = { readonly credentials?: GivenCredentials };

/** What the caller's own files and helpers have for these images. Throws BadConfig, TimedOut. */
export async function credentialsFor(
  environment: Environment | undefined,
  images: readonly string[],
): Promise<CredentialsOption> {
  const given: Record<string, Readonly<Record<string, string>>> = {};
  for (const image of environment === undefined ? [] : images) {
    const repository = registryImage(image);
    if (repository === undefined) continue;
    const name = `${repository.registry}/${repository.repository}`;
    const found = await callerCredentials(environment ?? {}, name);
    if (found !== undefined) given[name] = entryOf(found);
  }
  return Object.keys(given).length === 0 ? {} : { credentials: given };
}

/** Undefined for every other image, and for what is no reference: the agent says so. */
function registryImage(image: string): Repository | undefined {
  try {
    return repositoryOf(parseImageReference(image));
  } catch {
    return undefined;
  }
}

type NewPod = {
  /** A request, or a manifest. */
  readonly json: string;
  readonly options: Pick<PrepareOptions, "pullPolicy">;
  readonly environment: Environment | undefined;
};

/** The same for the images of a pod, as far as they will be fetched. */
export async function podCredentials(
  agent: AgentLink,
  { json, options, environment }: NewPod,
): Promise<CredentialsOption> {
  const { pullPolicy = "new" } = options;
  if (pullPolicy === "never") return {};
  const images: string[] = [];
  for (const image of imagesNamed(json).filter((name) => registryImage(name) !== undefined)) {
    if (pullPolicy === "update" || !(await isStored(agent, image))) images.push(image);
  }
  return await credentialsFor(environment, images);
}

async function isStored(agent: AgentLink, image: string): Promise<boolean> {
  try {
    await agent.ask((manager) => callMethod(manager, [MANAGER, "GetImage"], { image }));
    return true;
  } catch {
    return false; // whatever it is, the agent tells it when it is asked for the pod
  }
}

const Named = z.looseObject({ name: z.string().optional(), id: z.string().optional() });
const Outline = z.looseObject({ apps: z.array(z.looseObject({ image: z.union([z.string(), Named]) })) });

/** The images that a pod's JSON names; none where it is malformed, which the agent says better. */
function imagesNamed(json: string): string[] {
  const { success, data } = Outline.safeParse(parsed(json));
  if (!success) return [];
  return data.apps.flatMap(({ image }) =>
    typeof image === "string" ? [image] : [image.id ?? image.name ?? ""],
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
