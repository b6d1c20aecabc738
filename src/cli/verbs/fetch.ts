/** gantry fetch IMAGE…: takes images into the store. */
import { resolve } from "node:path";
import { GantryError } from "../../base/errors.ts";
import { openImages, parseInsecureOptions } from "../../manager/open-images.ts";
import { PULL_POLICIES, parsePullPolicy } from "../../manager/pull-policy.ts";
import { forEachWord } from "../each.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { type ProgressDisplay, showProgress } from "../progress.ts";
import { jsonLine } from "../render.ts";
import type { Context, Option, Verb } from "../verb.ts";

/** Shared with run and prepare. */
export const INSECURE: Option = {
  name: "insecure-options",
  value: "OPTIONS",
  help: "checks to leave out, separated by commas: image (signatures), tls (certificates), http (plain http where https does not answer)",
};

const FETCH_FORMAT: Option = {
  name: "format",
  value: "FORMAT",
  choices: ["text", "json"],
  help: "text for people (default), json for programs",
};

/** Shared with install. */
export const PULL_POLICY: Option = {
  name: "pull-policy",
  value: "POLICY",
  choices: PULL_POLICIES,
  help: "when to ask a server: new, if the store has no such image; update, always; never",
};

const SIGNATURE: Option = {
  name: "signature",
  value: "FILE",
  help: "signature of the one IMAGE: detached for an ACI (else it is FILE.aci.asc), simple signing for others",
};

export const verb: Verb = {
  name: "fetch",
  synopsis: "[OPTION…] IMAGE…",
  summary: "fetch images from servers, files and directories",
  details:
    "IMAGE is docker://[REGISTRY/]REPOSITORY[:TAG|@DIGEST], NAME[:VERSION][,LABEL=VALUE…] of an app container such as " +
    "example.com/app:1.0, which is discovered, https://….aci, oci:DIR[:REF], oci-archive:FILE[:REF], " +
    "docker-archive:FILE[:REF], file:///PATH, or a path to an .aci file, another archive or a layout. Prints the id of " +
    "each image. A server is asked every time, and what the store has is not transferred again; what an .aci file " +
    "depends on is taken from the store where that has it, unless --pull-policy=update is given. With " +
    "--format=json every event is an object on a line of its own: phase, layers, progress, layer, log, and at the end " +
    "image or failed.",
  options: [INSECURE, PULL_POLICY, SIGNATURE, FETCH_FORMAT],
  operands: { min: 1, max: 1000 },
  async run(context, { options, operands }) {
    const insecureOptions = parseInsecureOptions(options.value("insecure-options") ?? "");
    await using images = await openImages(context);
    using interrupt = listenForInterrupt();
    const policy = options.value("pull-policy");
    const pullPolicy = policy === undefined ? undefined : parsePullPolicy(policy);
    const format = options.value("format") ?? "text";
    const signature = signatureOf(options.value("signature"), operands);
    return await forEachWord(context, operands, async (source) => {
      const asked = { source, insecureOptions, pullPolicy, signature };
      const request = { ...asked, uid: context.uid, signal: interrupt.signal };
      const id = await watched(context, { source, format }, ({ show }) =>
        images.fetch({ ...request, progress: show }),
      );
      context.out(format === "json" ? jsonLine({ event: "image", id, source }) : `${id}\n`);
    });
  },
};

/** Absolute, since the agent is somewhere else. Throws Usage where it is not clear whose signature it is. */
function signatureOf(path: string | undefined, images: readonly string[]): string | undefined {
  if (path === undefined) return undefined;
  if (images.length === 1) return resolve(path);
  throw new GantryError("Usage", `--signature is about one image, and here are ${images.length}`);
}

type Watched = { readonly source: string; readonly format: string };

/** Shows how the work goes, and a failure as the last event. */
async function watched(
  context: Context,
  { source, format }: Watched,
  work: (display: ProgressDisplay) => Promise<string>,
): Promise<string> {
  using display = showProgress(context, source, { format });
  try {
    return await work(display);
  } catch (error) {
    if (format === "json" && error instanceof GantryError) {
      context.out(jsonLine({ event: "failed", kind: error.kind, text: error.message, source }));
    }
    throw error;
  }
}
