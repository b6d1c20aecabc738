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
export function remoteImages({ authentication }: Pick<Caller, "authentication">): ImageVerbs {
  const agent = openAgentLink(authentication);
  return {
    fetch: ({ source, signal, progress, ...wishes }) => {
      const { signature } = wishes;
      const options = { ...fetchOptions(wishes), ...(signature === undefined ? {} : { signature }) };
      const args = { source: absoluteSource(source), options };
      const begin = (manager: Peer) => callMethod(manager, [MANAGER, "FetchImage"], args);
      return work(agent, begin, {
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
      const args = { image, options: repair ? { repair } : {} };
      const begin = (manager: Peer) => callMethod(manager, [MANAGER, "VerifyImage"], args);
      return JSON.parse(await work(agent, begin, signal === undefined ? {} : { signal }));
    },
    remove: (image) =>
      work(agent, (manager) => callMethod(manager, [MANAGER, "RemoveImage"], { image, options: {} })),
    [Symbol.asyncDispose]: () => agent.close(),
  };
}
