/** Images, for whoever asks: in this process for root, through the agent for everybody else. */
import type { FetchRequest, ImageDescription, ImageRecord } from "./images.ts";
import { type Caller, refuseForeignDirectory } from "./open.ts";
import type { LayerCheck, VerifiedImage } from "./verify.ts";

export type VerifyWishes = { readonly repair: boolean; readonly signal?: AbortSignal };

export type ImageVerbs = AsyncDisposable & {
  /** See fetchImage(); gives the image's id. */
  fetch(request: FetchRequest): Promise<string>;
  list(): Promise<ImageRecord[]>;
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
  const images = await import("./images.ts");
  const known = new Map<string, LayerCheck>();
  return {
    fetch: async (request) => (await images.fetchImage(caller, request)).id,
    list: () => images.listImages(caller),
    inspect: (image) => images.inspectImage(caller, image),
    manifest: (image) => images.imageManifest(caller, image),
    verify: async (image, { repair, signal }) => {
      const { verifyImage } = await import("./verify.ts");
      return await verifyImage(caller, { image, repair, uid: caller.uid, signal, known });
    },
    remove: async (image) => (await images.removeImage(caller, image)).id,
    [Symbol.asyncDispose]: async () => {},
  };
}
