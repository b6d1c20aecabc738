/** A pod as a caller of the bus describes it: as much of the JSON as has to be known before he is authorized. */
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import type { LaunchablePod, PodManager, PodRequest, PrepareOptions } from "../manager/manager.ts";

export type ParsedRequest = {
  readonly name: string | undefined;
  /** Its images, as the request names them. */
  readonly images: readonly string[];
  /** The manager checks everything else. */
  prepare(pods: PodManager, options: PrepareOptions): Promise<LaunchablePod>;
};

const ORIGIN = "the request";

const Outline = z.looseObject({
  acKind: z.string().optional(),
  name: z.string().optional(),
  apps: z.array(z.looseObject({ image: z.unknown() })),
});

/** Throws BadManifest. */
export function parsePodRequest(text: string): ParsedRequest {
  const outline = Outline.safeParse(parseJson(text));
  if (!outline.success) throw malformed(outline.error.issues[0]?.path.join(".") || "it");
  const { acKind, name, apps } = outline.data;
  return {
    name,
    images: apps.map(({ image }) => imageName(image)),
    prepare: (pods, options) =>
      acKind === undefined
        ? pods.preparePod(outline.data as unknown as PodRequest, options)
        : pods.prepareManifest(text, ORIGIN, options),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GantryError("BadManifest", `${ORIGIN} is not JSON`, { cause });
  }
}

/** In a request an image is a word; in a manifest it is taken by its id, and its name is a remark. */
function imageName(image: unknown): string {
  const named = z.looseObject({ id: z.string().optional() }).safeParse(image);
  return typeof image === "string" ? image : (named.data?.id ?? "");
}

function malformed(where: string): GantryError {
  return new GantryError(
    "BadManifest",
    `${ORIGIN} is neither a pod manifest nor a pod request: see ${where}`,
  );
}
