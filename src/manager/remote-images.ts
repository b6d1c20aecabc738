/** Images on the other side of the bus. */
import { callMethod, type Peer } from "../bus/client.ts";
import { MANAGER } from "../interface/manager.ts";
import { openAgentLink } from "./agent-link.ts";
import { work } from "./agent-operation.ts";
import type { Caller } from "./open.ts";
import type { ImageVerbs } from "./open-images.ts";
import { absoluteSource } from "./remote.ts";
import { fetchOptions, parseEvent } from "./remote-fetch.ts";

/** Reading is free; polkit decides about the rest. */
export function remoteImages({
  authentication,
  environment,
}: Pick<Caller, "authentication" | "environment">): ImageVerbs {
  const agent = openAgentLink(authentication);
  const credentials = async (source: string) => {
    const { credentialsFor } = await import("./remote-credentials.ts");
    return await credentialsFor(environment, [source]);
  };
  const sourceOf = async (image: string): Promise<string> =>
    JSON.parse(await agent.ask((manager) => callMethod(manager, [MANAGER, "InspectImage"], { image })))
      .source;
  return {
    fetch: async ({ source, signal, progress, ...wishes }) => {
      const { signature, pullPolicy } = wishes;
      const options = {
        ...fetchOptions(wishes),
        ...(signature === undefined ? {} : { signature }),
        ...(pullPolicy === "never" ? {} : await credentials(source)),
      };
      const args = { source: absoluteSource(source), options };
      const begin = (manager: Peer) => callMethod(manager, [MANAGER, "FetchImage"], args);
      return await work(agent, begin, {
        ...(signal === undefined ? {} : { signal }),
        onEvent: (json) => progress?.(parseEvent(json)),
      });
    },
    list: async () =>
      JSON.parse(await agent.ask((manager) => callMethod(manager, [MANAGER, "DescribeImages"], {}))),
    inspect: async (image) =>
      JSON.parse(await agent.ask((manager) => callMethod(manager, [MANAGER, "InspectImage"], { image }))),
    manifest: async (image) =>
      JSON.parse(await agent.ask((manager) => callMethod(manager, [MANAGER, "GetImageManifest"], { image }))),
    verify: async (image, { repair, signal }) => {
      const options = repair ? { repair, ...(await credentials(await sourceOf(image))) } : {};
      const args = { image, options };
      const begin = (manager: Peer) => callMethod(manager, [MANAGER, "VerifyImage"], args);
      return JSON.parse(await work(agent, begin, signal === undefined ? {} : { signal }));
    },
    remove: (image) =>
      work(agent, (manager) => callMethod(manager, [MANAGER, "RemoveImage"], { image, options: {} })),
    [Symbol.asyncDispose]: () => agent.close(),
  };
}
