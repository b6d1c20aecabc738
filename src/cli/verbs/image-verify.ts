/** gantry image verify IMAGE…: files, documents and records of images against what was imported. */
import { GantryError } from "../../base/errors.ts";
import { printable, quoted } from "../../base/text.ts";
import { type ImageVerbs, openImages } from "../../manager/open-images.ts";
import { findingText, type ImageCheck, type VerifiedImage } from "../../manager/verify.ts";
import { forEachWord } from "../each.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { json } from "../render.ts";
import { sizeText } from "../size.ts";
import { type Context, FORMAT, type Verb } from "../verb.ts";

export const verb: Verb = {
  name: "image verify",
  synopsis: "[OPTION…] IMAGE…",
  summary: "find files of images that were changed, added or removed",
  details:
    "Every file of every layer is compared with what was unpacked: content, mode, owner, time, attributes. Nothing is changed " +
    "without --repair, which takes what differs from where the image came from once more, if no pod uses it. Exit status 1 " +
    "if anything differs, and was not repaired. With --format=json: an array of what was found, one object for each image.",
  options: [
    { name: "all", help: "every image in the store" },
    { name: "repair", help: "take what differs from where the image came from once more" },
    FORMAT,
  ],
  operands: { min: 0, max: 1000 },
  async run(context, { options, operands }) {
    await using images = await openImages(context);
    const names = await chosen(images, operands, options.flag("all"));
    using interrupt = listenForInterrupt();
    const wishes = { repair: options.flag("repair"), signal: interrupt.signal };
    const table = options.value("format") !== "json";
    const checks: VerifiedImage[] = [];
    const status = await forEachWord(context, names, async (name) => {
      const check = await images.verify(name, wishes);
      checks.push(check);
      if (table) tell(context, check);
    });
    if (!table) context.out(json(checks));
    requireSound(checks);
    return status;
  },
};

async function chosen(
  images: ImageVerbs,
  operands: readonly string[],
  all: boolean,
): Promise<readonly string[]> {
  if (all !== (operands.length === 0))
    throw new GantryError(
      "Usage",
      all ? "--all and names of images exclude each other" : "which image? --all means every one",
    );
  return all ? (await images.list()).map(({ id }) => id) : operands;
}

function tell(context: Context, check: VerifiedImage): void {
  const say = (text: string) => context.out(`${printable(`${nameOf(check)}: ${text}`)}\n`);
  for (const text of problems(check)) say(text);
  if (check.ok) say(`verified, ${summary(check)}`);
  if (check.repaired === undefined) return;
  for (const text of problems(check.repaired)) say(`still ${text}`);
  if (check.repaired.ok) say(`repaired, ${summary(check.repaired)}`);
}

function nameOf({ names, image }: ImageCheck): string {
  return names[0] ?? image;
}

/** One line each. */
function problems({ layers, faults }: ImageCheck): string[] {
  const found = layers.flatMap(({ layer, findings, differences }) => [
    ...findings.map((finding) => `layer ${layer}: ${findingText(finding)}`),
    ...(differences > findings.length
      ? [`layer ${layer}: ${differences - findings.length} more differences`]
      : []),
  ]);
  return [...found, ...faults];
}

function summary({ layers }: ImageCheck): string {
  const sum = (of: "paths" | "bytes") => layers.reduce((total, layer) => total + layer[of], 0);
  const noun = layers.length === 1 ? "layer" : "layers";
  return `${layers.length} ${noun} with ${sum("paths")} entries and ${sizeText(sum("bytes"))}`;
}

function requireSound(checks: readonly VerifiedImage[]): void {
  const unsound = checks.filter(({ ok, repaired }) => !(repaired?.ok ?? ok));
  const [first] = unsound;
  if (first === undefined) return;
  const more = unsound.length === 1 ? "" : ` and ${unsound.length - 1} more`;
  const message = `image ${quoted(nameOf(first))}${more} is not what was imported`;
  const hint = first.repaired === undefined ? `gantry image verify --repair ${nameOf(first)}` : undefined;
  throw new GantryError("StoreCorrupt", message, hint === undefined ? {} : { hint });
}
