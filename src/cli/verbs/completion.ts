/** `gantry completion SHELL`, and the names that the scripts ask for while they complete. */
import { GantryError } from "../../base/errors.ts";
import { isPrintable, quoted } from "../../base/text.ts";
import type { Context, Verb } from "../verb.ts";

const SCRIPTS: Readonly<Record<string, () => Promise<string>>> = {
  bash: async () => (await import("../completion/bash.ts")).bashCompletion(await verbs()),
  fish: async () => (await import("../completion/fish.ts")).fishCompletion(await verbs()),
  zsh: async () => (await import("../completion/zsh.ts")).zshCompletion(await verbs()),
};

const NAMES: Readonly<Record<string, (context: Context) => Promise<readonly string[]>>> = {
  pods: podNames,
  images: imageNames,
};

export const verb: Verb = {
  name: "completion",
  synopsis: "bash|fish|zsh|pods|images",
  summary: "print a shell's completion script, or the names of pods or images that it offers",
  options: [],
  operands: { min: 1, max: 1 },
  run: async (context, { operands: [what = ""] }) => {
    const script = Object.hasOwn(SCRIPTS, what) ? SCRIPTS[what] : undefined;
    const names = Object.hasOwn(NAMES, what) ? NAMES[what] : undefined;
    if (script !== undefined) context.out(await script());
    else if (names !== undefined) context.out((await names(context)).map((name) => `${name}\n`).join(""));
    else {
      const known = [...Object.keys(SCRIPTS), ...Object.keys(NAMES)];
      throw new GantryError("Usage", `${quoted(what)} is none of ${known.join(", ")}`);
    }
    return 0;
  },
};

async function verbs() {
  return await (await import("../completion/words.ts")).completedVerbs();
}

async function podNames(context: Context): Promise<readonly string[]> {
  const { openManager } = await import("../../manager/open.ts");
  await using manager = await openManager(context);
  return (await manager.listPods()).map(({ uuid, name }) => name ?? uuid);
}

async function imageNames(context: Context): Promise<readonly string[]> {
  const { openImages } = await import("../../manager/open-images.ts");
  await using manager = await openImages(context);
  return (await manager.list()).flatMap((image) => {
    // What can't be printed can't be typed either.
    const names = "damaged" in image ? [] : image.names.filter(isPrintable);
    return names.length === 0 ? [image.id] : names;
  });
}
