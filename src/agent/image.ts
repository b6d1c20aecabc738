/** org.gantry1.Image. */
import { type Collection, implement } from "../bus/objects.ts";
import { parseCredentials } from "../config/given-credentials.ts";
import { IMAGE } from "../interface/image.ts";
import { type ImageRecord, imageOfId, inspectImage, listImages } from "../manager/images.ts";
import type { Agent } from "./agent.ts";
import { remove, verify } from "./image-verbs.ts";
import { IMAGES } from "./paths.ts";

export type ImageEntity = { readonly agent: Agent; readonly image: ImageRecord };

export const imageFace = implement<typeof IMAGE, ImageEntity>(IMAGE, {
  methods: {
    Inspect: async ({ agent, image }) => JSON.stringify(await inspectImage(agent.images, image.id)),
    Verify: ({ agent, image }, { options }, call) =>
      verify(agent, call, {
        image,
        repair: options.repair ?? false,
        credentials: parseCredentials(options.credentials ?? {}),
      }),
    Remove: ({ agent, image }, _, call) => remove(agent, call, image),
  },
  properties: ({ image }) => ({
    Id: image.id,
    Kind: image.kind,
    Names: image.names,
    Digest: image.digest,
    Architecture: image.platform.architecture,
    Size: unpackedSize(image),
    Imported: BigInt(image.imported),
    Verdict: image.verdict.kind,
  }),
});

/** All images. An object is found by the whole id only: its path is the image's for good. */
export function imageCollection(agent: Agent): Collection<ImageEntity> {
  const list = async () => {
    const images = await listImages(agent.images);
    return new Map(images.map((image) => [image.id, { agent, image }]));
  };
  const find = async (id: string) => {
    const image = await imageOfId(agent.images, id);
    return image === undefined ? undefined : { agent, image };
  };
  return { prefix: IMAGES, faces: [imageFace], find, list };
}

/** Bytes of all extracted layers. */
export function unpackedSize(image: ImageRecord): bigint {
  return BigInt(image.layers.reduce((sum, layer) => sum + layer.unpackedSize, 0));
}
