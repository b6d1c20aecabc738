/** Images, for whoever asks: in this process for root, through the agent for everybody else. */
import { parseImageReference, repositoryOf } from "../image/reference.ts";
import type { FetchRequest, ImageDescription, ImageRecord, ListedImage } from "./images.ts";
import { type Caller, refuseForeignDirectory } from "./open.ts";
import { fetchRepository } from "./repository-fetch.ts";
import type { LayerCheck, VerifiedImage } from "./verify.ts";

export { parseInsecureOptions } from "../trust/verdict.ts";

export type VerifyWishes = { readonly repair: boolean; readonly signal?: AbortSignal };

export type ImageVerbs = AsyncDisposable & {
  /** See fetchImage(); gives the image's id. */
  fetch(request: FetchRequest): Promise<string>;
  /** See describeImages(). */
  list(): Promise<ListedImage[]>;
  inspect(image: string): Promise<ImageDescription>;
  manifest(image: string): Promise<unknown>;
  /** See verifyImage(). */
  verify(image: string, options: VerifyWishes): Promise<VerifiedImage>;
  /** Gives the image's id. */
  remove(image: string): Promise<string>;
};

/** Opens the images of a caller. Throws AccessDenied for a data directory that the agent does not work on. */
export async function openImages(caller: Caller): Promise<ImageVerbs> {
  if (caller.uid !== 0) {
    refuseForeignDirectory(caller);
    return (await import("./remote-images.ts")).remoteImages(caller);
  }
  // Loaded by who needs it: it is much, and a server can be asked meanwhile.
  const images = () => import("./images.ts");
  const known = new Map<string, LayerCheck>();
  return {
    fetch: async (request) => (await fetchFor(caller, request)).id,
    list: async () => await (await images()).describeImages(caller),
    inspect: async (image) => await (await images()).inspectImage(caller, image),
    manifest: async (image) => await (await images()).imageManifest(caller, image),
    verify: async (image, { repair, signal }) => {
      const { verifyImage } = await import("./verify.ts");
      return await verifyImage(caller, { image, repair, uid: caller.uid, signal, known });
    },
    remove: async (image) => (await (await images()).removeImage(caller, image)).id,
    [Symbol.asyncDispose]: async () => {},
  };
}

async function fetchFor(caller: Caller, request: FetchRequest): Promise<ImageRecord> {
  const repository = repositoryOf(parseImageReference(request.source));
  if (repository !== undefined) return await fetchRepository(caller, request, repository);
  return await (await import("./images.ts")).fetchImage(caller, request);
}
